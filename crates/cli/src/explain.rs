//! The pages of the problem codes, compiled in, so that `mangrove explain` works without any file.

use mangrove_domain::problem::Code;

macro_rules! pages {
    ($($number:literal: $name:literal,)+) => {
        const fn find(number: u16) -> Option<&'static str> {
            match number {
                $($number => Some(include_str!(concat!("../../../design/problems/", $name, ".md"))),)+
                _ => None,
            }
        }
    };
}

pages! {
    101: "MG0101",
    102: "MG0102",
    103: "MG0103",
    104: "MG0104",
    105: "MG0105",
    106: "MG0106",
    110: "MG0110",
    111: "MG0111",
    120: "MG0120",
    121: "MG0121",
    122: "MG0122",
    123: "MG0123",
    124: "MG0124",
    125: "MG0125",
    201: "MG0201",
    202: "MG0202",
    203: "MG0203",
    204: "MG0204",
    205: "MG0205",
    206: "MG0206",
    207: "MG0207",
    208: "MG0208",
    209: "MG0209",
    210: "MG0210",
    211: "MG0211",
    212: "MG0212",
    220: "MG0220",
    221: "MG0221",
    222: "MG0222",
    223: "MG0223",
    224: "MG0224",
    225: "MG0225",
    226: "MG0226",
    230: "MG0230",
    231: "MG0231",
    232: "MG0232",
    233: "MG0233",
    301: "MG0301",
    302: "MG0302",
    303: "MG0303",
    304: "MG0304",
    305: "MG0305",
    306: "MG0306",
    307: "MG0307",
    308: "MG0308",
    309: "MG0309",
    310: "MG0310",
    401: "MG0401",
    402: "MG0402",
    403: "MG0403",
    404: "MG0404",
    405: "MG0405",
    406: "MG0406",
    407: "MG0407",
    408: "MG0408",
    409: "MG0409",
    410: "MG0410",
    411: "MG0411",
    412: "MG0412",
    413: "MG0413",
    414: "MG0414",
    415: "MG0415",
    416: "MG0416",
    417: "MG0417",
    418: "MG0418",
    419: "MG0419",
    420: "MG0420",
    421: "MG0421",
    422: "MG0422",
    423: "MG0423",
    424: "MG0424",
    501: "MG0501",
    502: "MG0502",
    503: "MG0503",
    504: "MG0504",
    505: "MG0505",
    506: "MG0506",
    507: "MG0507",
    508: "MG0508",
    509: "MG0509",
    601: "MG0601",
    602: "MG0602",
    603: "MG0603",
    604: "MG0604",
    605: "MG0605",
    606: "MG0606",
    607: "MG0607",
    701: "MG0701",
    702: "MG0702",
    703: "MG0703",
    704: "MG0704",
    705: "MG0705",
    710: "MG0710",
    711: "MG0711",
    712: "MG0712",
    713: "MG0713",
    720: "MG0720",
    721: "MG0721",
    730: "MG0730",
    731: "MG0731",
    732: "MG0732",
    740: "MG0740",
    741: "MG0741",
    801: "MG0801",
    802: "MG0802",
}

/// The page that explains `code`: Markdown, its first line the title `# MG0101: …`.
#[must_use]
pub(crate) fn page(code: Code) -> Option<&'static str> {
    find(code.number())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_the_page_of_its_title() {
        for code in Code::ALL {
            let page = page(*code).unwrap_or_else(|| panic!("{code} has no page"));
            assert_eq!(page.lines().next(), Some(format!("# {code}: {}", code.title()).as_str()));
        }
    }

    #[test]
    fn every_page_says_what_to_do() {
        for code in Code::ALL {
            let page = page(*code).unwrap_or_default();
            for heading in ["## What happened", "## Why", "## What to do"] {
                assert!(page.contains(heading), "{code} lacks `{heading}`");
            }
        }
    }

    #[test]
    fn pages_link_only_to_other_pages() {
        for code in Code::ALL {
            for link in page(*code).unwrap_or_default().split("](").skip(1) {
                let target = link.split(')').next().unwrap_or_default();
                let named = target.strip_suffix(".md").and_then(Code::parse);
                assert!(named.is_some(), "{code} links to {target}, which a terminal cannot open");
            }
        }
    }
}
