//! Markdown that methods wrote, as HTML that can do nothing: no element of its own, no picture from elsewhere, and links
//! only to where a person may want to go.

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

/// The HTML of a Markdown text. Its headings begin at the third level, below those of the page.
pub(crate) fn to_html(text: &str) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let mut open_links = Vec::new();
    let events = Parser::new_ext(text, options).map(|event| harmless(event, &mut open_links));
    let mut written = String::with_capacity(text.len() * 2);
    html::push_html(&mut written, events);
    written
}

/// The event as it may be written; `open_links` has for each link around it whether it leads somewhere.
fn harmless<'a>(event: Event<'a>, open_links: &mut Vec<bool>) -> Event<'a> {
    let nothing = || Event::Text("".into());
    match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        Event::Start(Tag::Link { dest_url, .. }) => {
            let is_harmless = is_harmless(&dest_url);
            open_links.push(is_harmless);
            if is_harmless {
                let address = attribute(&dest_url);
                Event::Html(format!("<a href=\"{address}\" rel=\"noopener noreferrer\">").into())
            } else {
                nothing()
            }
        }
        Event::End(TagEnd::Link) => match open_links.pop() {
            Some(true) => Event::Html("</a>".into()),
            Some(false) | None => nothing(),
        },
        Event::Start(Tag::Image { .. }) => Event::Text("[picture: ".into()),
        Event::End(TagEnd::Image) => Event::Text("]".into()),
        Event::Start(Tag::Heading { level, .. }) => {
            Event::Start(Tag::Heading { level: below(level), id: None, classes: Vec::new(), attrs: Vec::new() })
        }
        Event::End(TagEnd::Heading(level)) => Event::End(TagEnd::Heading(below(level))),
        // Written as a style of its own, which the pages do not allow.
        Event::Start(Tag::Table(columns)) => {
            Event::Start(Tag::Table(columns.iter().map(|_| pulldown_cmark::Alignment::None).collect()))
        }
        other => other,
    }
}

const fn below(level: HeadingLevel) -> HeadingLevel {
    match level {
        HeadingLevel::H1 => HeadingLevel::H3,
        HeadingLevel::H2 => HeadingLevel::H4,
        HeadingLevel::H3 => HeadingLevel::H5,
        HeadingLevel::H4 | HeadingLevel::H5 | HeadingLevel::H6 => HeadingLevel::H6,
    }
}

/// True for an address of the web, of mail, or of this daemon. Browsers leave control characters out of an address, so that
/// one with such has a scheme that cannot be seen here.
fn is_harmless(address: &str) -> bool {
    if address.chars().any(char::is_control) {
        return false;
    }
    let address = address.trim_start();
    let before_path = address.split(['/', '?', '#']).next().unwrap_or_default();
    match before_path.split_once(':') {
        None => true,
        Some((scheme, _)) => ["http", "https", "mailto"].iter().any(|known| scheme.eq_ignore_ascii_case(known)),
    }
}

fn attribute(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => written.push_str("&amp;"),
            '<' => written.push_str("&lt;"),
            '>' => written.push_str("&gt;"),
            '"' => written.push_str("&quot;"),
            '\'' => written.push_str("&#39;"),
            other => written.push(other),
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reports_are_written_with_is_rendered() {
        let html = to_html("# Report\n\n| a | b |\n|:--|--:|\n| 1 | ~~2~~ |\n\n- one `code`\n");
        assert_eq!(
            html,
            "<h3>Report</h3>\n<table><thead><tr><th>a</th><th>b</th></tr></thead><tbody>\n<tr><td>1</td><td><del>2</del></td></tr>\n</tbody></table>\n<ul>\n<li>one <code>code</code></li>\n</ul>\n"
        );
    }

    #[test]
    fn elements_of_html_are_text() {
        for text in ["<script>alert(1)</script>", "a <b onclick=x>b</b>", "<!-- x --><img src=x onerror=y>", "<style>"]
        {
            let html = to_html(text);
            for element in ["<script", "<b", "<img", "<style", "<!--"] {
                assert!(!html.contains(element), "{text}: {html}");
            }
            assert!(html.contains("&lt;"), "{text}: {html}");
        }
    }

    #[test]
    fn links_lead_to_the_web_to_mail_or_to_this_daemon() {
        for address in ["https://example.org/?a=1&b=2", "HTTP://example.org", "mailto:a@example.org", "/runs", "#top"] {
            let html = to_html(&format!("[there](<{address}>)"));
            assert!(html.contains("rel=\"noopener noreferrer\">there</a>"), "{address}: {html}");
        }
        for address in [
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            "java&#x0A;script:alert(1)",
            "&#1;javascript:alert(1)",
            "data:text/html,x",
            "vbscript:x",
            "file:///etc/passwd",
        ] {
            let html = to_html(&format!("[there](<{address}>)"));
            assert_eq!(html, "<p>there</p>\n", "{address}");
        }
        assert!(to_html("[x](<https://example.org/\"onclick=\"y>)").contains("&quot;onclick="));
    }

    #[test]
    fn pictures_are_told_and_not_fetched() {
        assert_eq!(to_html("![a *plan*](https://example.org/x.png)"), "<p>[picture: a <em>plan</em>]</p>\n");
    }
}
