//! Against a small DNS server of the test's own, on loopback.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex};

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::Record;
use tokio::net::UdpSocket;

use super::*;

type Zone = BTreeMap<(String, RecordType), Vec<RData>>;

/// A DNS server that knows one zone, and what it was asked.
struct Dns {
    resolver: Resolver,
    asked: Arc<Mutex<Vec<String>>>,
}

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

fn a(host: &str, last: u8) -> (String, RecordType, RData) {
    (host.to_owned(), RecordType::A, RData::A(Ipv4Addr::new(192, 0, 2, last).into()))
}

fn aaaa(host: &str, last: u16) -> (String, RecordType, RData) {
    let address = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last);
    (host.to_owned(), RecordType::AAAA, RData::AAAA(address.into()))
}

fn srv(service: &str, priority: u16, weight: u16, port: u16, target: &str) -> (String, RecordType, RData) {
    (service.to_owned(), RecordType::SRV, RData::SRV(SRV::new(priority, weight, port, name(target))))
}

fn naptr(
    host: &str,
    (order, preference): (u16, u16),
    flag: &str,
    service: &str,
    to: &str,
) -> (String, RecordType, RData) {
    let bytes = |text: &str| text.as_bytes().to_vec().into_boxed_slice();
    let record = NAPTR::new(order, preference, bytes(flag), bytes(service), bytes(""), name(to));
    (host.to_owned(), RecordType::NAPTR, RData::NAPTR(record))
}

fn answer(zone: &Zone, question: &[u8], asked: &Mutex<Vec<String>>) -> Option<Vec<u8>> {
    let question = Message::from_vec(question).ok()?;
    let query = question.queries.first()?.clone();
    asked.lock().unwrap().push(format!("{} {}", query.name(), query.query_type()));
    let key = (query.name().to_ascii().to_ascii_lowercase(), query.query_type());
    let exists = zone.keys().any(|(name, _)| *name == key.0);
    let mut answer = Message::new(question.metadata.id, MessageType::Response, question.metadata.op_code);
    answer.metadata.recursion_available = true;
    answer.metadata.response_code = if exists { ResponseCode::NoError } else { ResponseCode::NXDomain };
    for data in zone.get(&key).into_iter().flatten() {
        answer.add_answer(Record::from_rdata(query.name().clone(), 60, data.clone()));
    }
    answer.add_query(query);
    answer.to_vec().ok()
}

impl Dns {
    async fn serve(records: Vec<(String, RecordType, RData)>) -> Dns {
        let mut zone = Zone::new();
        for (name, kind, data) in records {
            zone.entry((format!("{name}."), kind)).or_default().push(data);
        }
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let mut connection = ConnectionConfig::udp();
        connection.port = socket.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = asked.clone();
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                if let Some(answer) = answer(&zone, &buffer[..length], &log) {
                    let _ = socket.send_to(&answer, from).await;
                }
            }
        });
        let server = NameServerConfig::new(Ipv4Addr::LOCALHOST.into(), true, vec![connection]);
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
        let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        Dns { resolver: Resolver { dns: Some(builder.build().unwrap()) }, asked }
    }

    /// `udp:192.0.2.1:5060`, in order.
    async fn targets(&self, host: &str, port: Option<u16>, transport: Option<Transport>) -> Vec<String> {
        let server = TrunkServer { host: host.to_owned(), port, transport };
        let targets = self.resolver.targets(&server).await;
        let shown = targets.iter().map(|to| match to {
            Destination::Address { transport, address } => format!("{}:{address}", transport.name()),
            Destination::Flow(flow) => panic!("a flow: {flow:?}"),
        });
        shown.collect()
    }

    fn was_asked(&self, question: &str) -> bool {
        self.asked.lock().unwrap().iter().any(|asked| asked == question)
    }

    fn was_asked_for(&self, kind: &str) -> bool {
        self.asked.lock().unwrap().iter().any(|asked| asked.ends_with(&format!(" {kind}")))
    }
}

#[tokio::test]
async fn without_port_and_transport_naptr_chooses_the_transport_and_srv_the_host() {
    let dns = Dns::serve(vec![
        naptr("acme.test", (50, 50), "s", "SIPS+D2T", "_sips._tcp.acme.test."),
        naptr("acme.test", (100, 20), "S", "sip+d2u", "_sip._udp.elsewhere.test."),
        naptr("acme.test", (100, 10), "s", "SIP+D2T", "_sip._tcp.acme.test."),
        naptr("acme.test", (200, 10), "s", "SIP+D2U", "_sip._udp.later.test."),
        srv("_sip._tcp.acme.test", 1, 0, 5071, "a.acme.test."),
        srv("_sip._udp.elsewhere.test", 1, 0, 5072, "b.acme.test."),
        srv("_sip._udp.later.test", 1, 0, 5073, "b.acme.test."),
        a("a.acme.test", 1),
        a("b.acme.test", 2),
        a("acme.test", 9),
    ])
    .await;
    let targets = dns.targets("acme.test", None, None).await;
    // We do not speak TLS, and records of a later order count only where none of this one fits.
    assert_eq!(targets, ["tcp:192.0.2.1:5071", "udp:192.0.2.2:5072"]);
}

#[tokio::test]
async fn naptr_records_that_lead_elsewhere_than_to_srv_are_not_followed() {
    let dns = Dns::serve(vec![
        naptr("acme.test", (10, 10), "u", "E2U+sip", "."),
        naptr("acme.test", (10, 20), "a", "SIP+D2U", "a.acme.test."),
        srv("_sip._udp.acme.test", 1, 0, 5080, "a.acme.test."),
        a("a.acme.test", 1),
    ])
    .await;
    assert_eq!(dns.targets("acme.test", None, None).await, ["udp:192.0.2.1:5080"]);
}

#[tokio::test]
async fn without_naptr_the_transports_we_speak_are_asked_for_by_srv() {
    let dns = Dns::serve(vec![
        srv("_sip._tcp.acme.test", 1, 0, 5070, "a.acme.test."),
        a("a.acme.test", 1),
        a("acme.test", 9),
    ])
    .await;
    assert_eq!(dns.targets("acme.test", None, None).await, ["tcp:192.0.2.1:5070"]);
    assert!(dns.was_asked("acme.test. NAPTR") && dns.was_asked("_sip._udp.acme.test. SRV"));
}

#[tokio::test]
async fn srv_targets_come_by_priority_then_weight() {
    let dns = Dns::serve(vec![
        srv("_sip._udp.acme.test", 20, 90, 5061, "backup.acme.test."),
        srv("_sip._udp.acme.test", 10, 10, 5062, "light.acme.test."),
        srv("_sip._udp.acme.test", 10, 60, 5063, "heavy.acme.test."),
        a("backup.acme.test", 1),
        a("light.acme.test", 2),
        a("heavy.acme.test", 4),
        a("heavy.acme.test", 3),
        aaaa("heavy.acme.test", 3),
    ])
    .await;
    let targets = dns.targets("acme.test", None, Some(Transport::Udp)).await;
    let expected = [
        "udp:192.0.2.3:5063",
        "udp:192.0.2.4:5063",
        "udp:[2001:db8::3]:5063",
        "udp:192.0.2.2:5062",
        "udp:192.0.2.1:5061",
    ];
    assert_eq!(targets, expected);
    assert!(!dns.was_asked_for("NAPTR"), "a transport in the configuration leaves nothing to choose");
}

#[tokio::test]
async fn a_name_without_services_is_reached_by_udp_at_its_addresses() {
    let dns = Dns::serve(vec![a("acme.test", 1)]).await;
    assert_eq!(dns.targets("Acme.test.", None, None).await, ["udp:192.0.2.1:5060"]);
    assert_eq!(dns.targets("acme.test", None, Some(Transport::Tcp)).await, ["tcp:192.0.2.1:5060"]);
    assert_eq!(dns.targets("acme.test", None, Some(Transport::Tls)).await, ["tls:192.0.2.1:5061"]);
}

#[tokio::test]
async fn a_port_in_the_configuration_asks_for_addresses_only() {
    let dns = Dns::serve(vec![srv("_sip._udp.acme.test", 1, 0, 5070, "a.acme.test."), a("acme.test", 1)]).await;
    assert_eq!(dns.targets("acme.test", Some(5090), None).await, ["udp:192.0.2.1:5090"]);
    assert!(!dns.was_asked_for("SRV") && !dns.was_asked_for("NAPTR"));
}

#[tokio::test]
async fn a_service_that_is_decidedly_not_there_is_not_looked_for_elsewhere() {
    let dns = Dns::serve(vec![srv("_sip._udp.acme.test", 0, 0, 0, "."), a("acme.test", 1)]).await;
    assert_eq!(dns.targets("acme.test", None, Some(Transport::Udp)).await, [] as [&str; 0]);
    assert_eq!(dns.targets("acme.test", None, None).await, [] as [&str; 0]);
}

#[tokio::test]
async fn what_does_not_exist_has_no_address_and_invalid_names_are_not_asked_for() {
    let dns = Dns::serve(vec![a("acme.test", 1)]).await;
    assert_eq!(dns.targets("nobody.test", None, None).await, [] as [&str; 0]);
    dns.asked.lock().unwrap().clear();
    assert_eq!(dns.targets("x.invalid", None, None).await, [] as [&str; 0]);
    assert!(dns.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_targets_of_a_name_are_bounded() {
    let dns = Dns::serve((1..=20).map(|n| a("acme.test", n)).collect()).await;
    assert_eq!(dns.targets("acme.test", Some(5060), None).await.len(), MOST_TARGETS);
}
