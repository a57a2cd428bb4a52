//! Numbers outside: how they are written, and which of them a plan may dial.

use super::Names;
use crate::settings::user_of;

/// E.164 has fifteen digits; a national or carrier prefix may stand before them.
const LONGEST: usize = 20;

/// The number in `tel:+33-1-55-50` or `+33 155 50`, without what people put between the digits (RFC 3966 §5.1.1);
/// `None` where it is no telephone number. Keys such as `*` steer networks, and are not dialled.
pub fn number(text: &str) -> Option<String> {
    let text = text.trim();
    let text = text.strip_prefix("tel:").unwrap_or(text);
    let bare: String = text.chars().filter(|c| !matches!(c, '-' | '.' | '(' | ')' | ' ')).collect();
    let digits = bare.strip_prefix('+').unwrap_or(&bare);
    let fits = (2..=LONGEST).contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_digit());
    fits.then_some(bare)
}

impl Names {
    /// Whether a plan may dial this number: a trunk offers it, and it is nobody's who is reached in another way. The
    /// engine asks again when it dials.
    pub fn may_dial(&self, number: &str) -> bool {
        self.is_offered(number) && !self.is_experts(number) && !self.agents.contains(number)
    }

    /// Whether some trunk allows numbers that begin so.
    pub fn is_offered(&self, number: &str) -> bool {
        self.allowed.iter().any(|prefix| number.starts_with(prefix.as_str()))
    }

    /// Whether it is an expert's: the id, or the user part of the address.
    pub fn is_experts(&self, number: &str) -> bool {
        self.experts.iter().any(|(id, address)| id.as_str() == number || user_of(address) == Some(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_however_people_write_them() {
        for (text, expected) in [
            ("tel:+33155501", "+33155501"),
            ("tel:+33-1-55-50", "+3315550"),
            ("+33 (1) 55.50", "+3315550"),
            ("0155501", "0155501"),
            (" 0033155501 ", "0033155501"),
        ] {
            assert_eq!(number(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_not_dialled() {
        for text in [
            "",
            "tel:",
            "+",
            "1",
            "*21*0155501#",
            "#31#0155501",
            "sip:0155501@192.0.2.1",
            "expert:301",
            "agent:201",
            "0155501@192.0.2.1",
            "0155501;phone-context=x",
            "++33155501",
            "+33+155501",
            "123456789012345678901",
            "01555o1",
            "0155501\r\nX: y",
            "٠١٥٥",
        ] {
            assert_eq!(number(text), None, "{text:?}");
        }
    }

    #[test]
    fn only_what_a_trunk_allows_is_dialled_and_never_a_person_of_the_house() {
        let names = Names {
            allowed: vec!["+33".to_owned(), "3".to_owned()],
            agents: ["305".into()].into(),
            experts: [("301".into(), "sip:+33900@pbx.test".to_owned())].into(),
            ..Names::default()
        };
        for (number, expected) in [
            ("+33155501", true),
            ("399", true),
            ("+44155501", false),
            ("0033155501", false),
            ("301", false),
            ("305", false),
            ("+33900", false),
        ] {
            assert_eq!(names.may_dial(number), expected, "{number}");
        }
        assert!(!Names::default().may_dial("+33155501"));
    }
}
