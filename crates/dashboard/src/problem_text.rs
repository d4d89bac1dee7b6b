//! The text of a problem code as a page. It is ours, and written for the terminal as well.

use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, html};

use crate::parts::address;

/// The HTML of the text below its heading. Links to other codes lead to their pages.
pub(crate) fn to_html(text: &str) -> String {
    let events = Parser::new_ext(text, Options::ENABLE_TABLES).map(|event| match event {
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            let dest_url = match dest_url.strip_suffix(".md") {
                Some(code) => CowStr::from(address::of_code(code)),
                None => dest_url,
            };
            Event::Start(Tag::Link { link_type, dest_url, title, id })
        }
        other => other,
    });
    let mut written = String::with_capacity(text.len() * 2);
    html::push_html(&mut written, events);
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_to_other_codes_lead_to_their_pages() {
        let html = to_html("## What to do\n\nSee [MG0602](MG0602.md):\n\n```\nsay <x>\n```\n");
        assert_eq!(
            html,
            "<h2>What to do</h2>\n<p>See <a href=\"/problems/MG0602\">MG0602</a>:</p>\n\
             <pre><code>say &lt;x&gt;\n</code></pre>\n"
        );
    }
}
