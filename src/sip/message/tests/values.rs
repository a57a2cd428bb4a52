use super::*;
use crate::settings::Transport;

#[test]
fn uris_are_read_and_written_back() {
    for text in [
        "sip:600@127.0.0.1",
        "sips:alice:secret@example.com:5061;transport=tcp;lr?subject=x",
        "sip:[2001:db8::10]:5070",
        "sip:user;par=u%40example.net@example.com",
        "sip:sips%3Auser%40example.com@example.net",
        "sip:null-%00-null@example.com",
        "sip:%25%2541@example.com",
        "sip:%C3%A9t%FF@example.com",
        "sip:+33123;phone-context=fr@example.com;user=phone",
        "tel:+33-1-23;phone-context=fr",
        "http://example.com/x?y",
        "sip:example.com",
    ] {
        assert_eq!(uri(text).to_string().parse::<Uri>(), Ok(uri(text)), "{text} became {}", uri(text));
        assert_eq!(uri(text).to_string(), text);
    }
    for text in [
        "",
        "600",
        "sip:",
        "sip:a@",
        "sip:@b",
        "sip:a b@c",
        "sip:a@b@c",
        "sip:a%4@b",
        "sip:2001:db8::10",
        "sip:a@[::1",
        "sip:a@[::1]x",
        "sip:a@[1.2.3.4]",
        "sip:a@h:99999",
        "sip:a@h:",
        "sip:a@h:+1",
        "sip:a@h;;lr",
        "sip:a@h;",
        "sip:a@h\u{85}",
        "tel:",
        "tel:+",
        "tel:abc-xyz",
        "tel:*21%23",
        "<sip:a@b>",
        "1x:y",
    ] {
        assert!(text.parse::<Uri>().is_err(), "{text} is no URI");
    }
}

#[test]
fn an_escaped_user_part_is_one_name_whatever_its_spelling() {
    let user = |text: &str| match uri(text) {
        Uri::Sip(uri) => uri.user,
        other => panic!("{other}"),
    };
    assert_eq!(user("sip:%61lice@h"), user("sip:alice@h"));
    assert_eq!(user("sip:sips%3Auser%40example.com@h").as_deref(), Some("sips:user@example.com"));
    assert_eq!(user("sip:%00@h").as_deref(), Some("%00"));
    assert_ne!(user("sip:%2541@h"), user("sip:%41@h"), "an escape is undone once");
    assert_eq!(user("sip:%c3%a9%7f@h").as_deref(), Some("é%7F"));
}

/// RFC 4475 §3.1.1.3.
#[test]
fn escaped_parameter_names_are_those_names() {
    let Uri::Sip(read) = uri("sip:h;%6C%72;n%61me=v%61lue%25%34%31") else { panic!("a SIP URI") };
    assert!(read.params.contains("lr"));
    assert_eq!(read.params.get("NAME"), Some("value%2541"));
}

#[test]
fn hosts_are_compared_without_case_and_addresses_as_numbers() {
    assert_eq!(uri("sip:a@Example.COM"), uri("sip:a@example.com"));
    assert_eq!(uri("sip:[2001:DB8:0::10]"), uri("sip:[2001:db8::10]"));
    assert_eq!(uri("sip:a@[2001:db8:::192.0.2.1]"), uri("sip:a@[2001:db8::192.0.2.1]"), "RFC 5118 §4.10");
    assert!("[::1".parse::<Host>().is_err() && "a..b c".parse::<Host>().is_err() && "".parse::<Host>().is_err());
}

#[test]
fn name_addrs_are_read_in_all_their_forms() {
    for (text, display, address, tag) in [
        (r#""Mr \"X\", esq." <sip:a@b>;tag=1"#, Some(r#"Mr "X", esq."#), "sip:a@b", Some("1")),
        ("Bob Smith <sip:a@b;lr>", Some("Bob Smith"), "sip:a@b;lr", None),
        ("caller<sip:a@b>;tag=323", Some("caller"), "sip:a@b", Some("323")),
        ("J. Doe, Zoë <sip:a@b>", Some("J. Doe, Zoë"), "sip:a@b", None),
        ("sip:a@b;tag=x", None, "sip:a@b", Some("x")),
        ("  <tel:+33-1> ; TAG = y ", None, "tel:+33-1", Some("y")),
        ("\"\" <sip:a@[::1]:5060>", Some(""), "sip:a@[::1]:5060", None),
    ] {
        let read: NameAddr = text.parse().unwrap_or_else(|fault| panic!("{text}: {fault}"));
        assert_eq!((read.display.as_deref(), read.uri.to_string().as_str(), read.tag()), (display, address, tag));
        assert_eq!(read.to_string().parse::<NameAddr>(), Ok(read.clone()), "{read}");
    }
    for text in [
        "",
        "<sip:a@b",
        "sip:a@b>",
        "\"open <sip:a@b>",
        "\"a\" sip:a@b",
        "< sip:a@b >",
        "<sip:a@b> tag=1",
        "<sip:a@b>;",
        "<sip:a@b>;=1",
        "<sip:a@b>;tag=",
        "<sip:a@b>;tag=a b",
        "<sip:a@b>;x=\"open",
        "sip:a@b?x=y",
        "a\"b\" <sip:a@b>",
    ] {
        assert!(text.parse::<NameAddr>().is_err(), "{text}");
    }
}

#[test]
fn quoted_parameters_keep_their_quotes_on_the_wire() {
    let text = r#"<sip:a@b>;+sip.instance="<urn:uuid:0;1,2>";reg-id=1"#;
    let read: NameAddr = text.parse().expect("a contact");
    assert_eq!(read.params.get("+SIP.instance"), Some("<urn:uuid:0;1,2>"));
    assert_eq!(read.to_string(), text);
}

#[test]
fn parameters_are_set_in_their_place_and_removed() {
    let mut params = Params::default();
    params.set("a", Some("1".to_owned()));
    params.set("lr", None);
    params.set("A", Some("2".to_owned()));
    assert_eq!((params.to_string().as_str(), params.get("lr"), params.contains("LR")), (";a=2;lr", None, true));
    params.remove("LR");
    assert_eq!(params.to_string(), ";a=2");
}

#[test]
fn vias_are_read_in_all_their_forms() {
    let read: Via =
        "SIP / 2.0 / UDP first.example.com: 4000;ttl=16 ;maddr=224.2.0.1 ;branch=z9hG4bKa7".parse().expect("a Via");
    assert_eq!((read.transport.as_str(), read.port, read.branch()), ("UDP", Some(4000), Some("z9hG4bKa7")));
    assert_eq!(read.to_string(), "SIP/2.0/UDP first.example.com:4000;ttl=16;maddr=224.2.0.1;branch=z9hG4bKa7");
    for (text, received) in [
        ("SIP/2.0/UDP [2001:db8::9:1]:6050;received=2001:db8::9:255;rport=7", "2001:db8::9:255"),
        ("SIP/2.0/UDP [2001:db8::9:1]:6050;received=[2001:db8::9:255];rport=7", "2001:db8::9:255"),
        ("SIP/2.0/TCP h;received=192.0.2.1;rport=7", "192.0.2.1"),
    ] {
        let read: Via = text.parse().unwrap_or_else(|fault| panic!("{text}: {fault}"));
        assert_eq!((read.received(), read.rport()), (received.parse().ok(), Some(7)), "{text}");
    }
    let asked: Via = "SIP/2.0/UDP h;rport".parse().expect("a Via");
    assert_eq!((asked.rport(), asked.params.contains("rport")), (None, true));
    for text in [
        "",
        "SIP/2.0",
        "SIP/2.0/UDP",
        "SIP/2.0/UDP ",
        "SIP/2.0/UDP h:",
        "SIP/2.0/UDP h:x",
        "SIP/2.0/UDP h;;a",
        "SIP/2.0/UDP h x",
        "2.0/UDP h",
    ] {
        assert!(text.parse::<Via>().is_err(), "{text}");
    }
}

#[test]
fn headers_are_found_set_and_removed_without_regard_to_case() {
    let mut headers = Headers::default();
    headers.push("k", "timer");
    headers.push("X-Own", "1");
    headers.push("x-own", "2");
    assert_eq!((headers.get("SUPPORTED"), headers.get("x-OWN")), (Some("timer"), Some("1")));
    headers.set("X-OWN", "3");
    headers.set("Subject", "new");
    assert_eq!(headers.iter().collect::<Vec<_>>(), [("Supported", "timer"), ("X-OWN", "3"), ("Subject", "new")]);
    headers.remove("supported");
    assert!(!headers.contains("Supported") && headers.contains("subject"));
    let kept: Headers = serde_json::from_str(&serde_json::to_string(&headers).expect("text")).expect("headers");
    assert_eq!(kept, headers);
    headers.push("Content-Type", "Application / SDP ; charset=utf-8");
    assert_eq!(headers.content_type().as_deref(), Some("application/sdp"));
}

#[test]
fn a_sip_uri_says_by_what_way_it_is_reached() {
    for (text, transport) in [
        ("sip:a@b.example", None),
        ("sip:a@b.example;transport=UDP", Some(Transport::Udp)),
        ("sip:a@b.example;transport=tls", Some(Transport::Tls)),
        ("sip:a@b.invalid;transport=ws", Some(Transport::Ws)),
        ("sip:a@b.example;transport=sctp", None),
        ("sips:a@b.example", Some(Transport::Tls)),
        ("sips:a@b.example;transport=tcp", Some(Transport::Tls)),
        ("sips:a@b.invalid;transport=ws", Some(Transport::Wss)),
    ] {
        let Uri::Sip(sip) = uri(text) else { panic!("{text} is a SIP URI") };
        assert_eq!(sip.transport(), transport, "{text}");
    }
}
