//! Trunks: registration at a provider, the watch over its servers, the way round one that is down.

use super::*;

const FIRST: &str = "192.0.2.1:5060";
const SECOND: &str = "192.0.2.2:5060";
const ASKS: (&str, &str) = ("WWW-Authenticate", "Digest realm=\"acme\", nonce=\"n1\", algorithm=MD5, qop=\"auth\"");

fn registering(servers: &[&str], watched: Duration) -> Settings {
    let mut acme = trunk("acme");
    acme.servers = servers.iter().map(|host| server(host)).collect();
    acme.options_interval = watched;
    let (user, password) = ("auth-user".to_owned(), "secret".to_owned());
    acme.register = Some(Credentials { user, password, aor: "sip:33155500@acme.test".to_owned() });
    Settings { trunks: vec![acme], ..settings() }
}

fn watching(servers: &[&str]) -> Settings {
    let mut settings = registering(servers, Duration::from_secs(60));
    settings.trunks[0].register = None;
    settings
}

fn at(address: &str) -> Destination {
    Destination::Address { transport: Transport::Udp, address: super::address(address) }
}

fn way_out(bench: &Bench) -> String {
    let ways = bench.engine.trunks.ways_out(&"acme".into(), bench.now.instant);
    match ways.first().map(|way| way.to) {
        Some(Destination::Address { address, .. }) => address.to_string(),
        other => format!("{other:?}"),
    }
}

impl Bench {
    /// Answers the REGISTER that goes to `server`: challenged, then accepted.
    fn accept_registration(&mut self, server: &str) {
        let (to, register) = self.request(Method::Register);
        assert_eq!(to, server);
        self.respond(server, &register, 200, &[("Expires", "3600")]);
    }

    fn answer_options(&mut self, server: &str, status: u16) {
        let (to, options) = self.request(Method::Options);
        assert_eq!(to, server);
        self.respond(server, &options, status, &[]);
    }

    /// Lets time pass in which these servers answer 200 to whatever they are asked; those that were registered at.
    fn serve(&mut self, up: &[&str], time: f64) -> Vec<String> {
        let end = self.now.instant + seconds(time);
        let mut registered = Vec::new();
        while self.now.instant < end {
            while let Some((to, message)) = self.sent.pop_front() {
                let to = to.to_string();
                let Message::Request(request) = message else { continue };
                if up.contains(&to.as_str()) {
                    self.respond(&to, &request, 200, &[]);
                    registered.extend((request.method == Method::Register).then_some(to));
                }
            }
            self.wait(seconds(0.1));
        }
        registered
    }

    fn logged(&self, text: &str) -> bool {
        self.logs.iter().any(|line| line.contains(text))
    }
}

#[test]
fn a_trunk_registers_answers_the_challenge_and_refreshes_before_the_end() {
    let mut bench = Bench::new(registering(&["192.0.2.1"], Duration::ZERO));
    let (to, first) = bench.request(Method::Register);
    assert_eq!(to, FIRST);
    assert_eq!(first.uri.to_string(), "sip:acme.test", "the domain, not the address of one server");
    assert_eq!(first.core.to.to_string(), "<sip:33155500@acme.test>");
    assert_eq!(first.core.from.uri.to_string(), "sip:33155500@acme.test");
    assert_eq!(first.headers.get("Contact"), Some("<sip:33155500@127.0.0.1:5060>"));
    assert_eq!(first.headers.get("Expires"), Some("3600"));
    assert!(!first.headers.contains("Authorization"));

    bench.respond(FIRST, &first, 401, &[ASKS]);
    let (_, proved) = bench.request(Method::Register);
    let authorization = proved.headers.get("Authorization").unwrap().to_owned();
    assert!(authorization.starts_with("Digest username=\"auth-user\", realm=\"acme\""), "{authorization}");
    assert!(authorization.contains("uri=\"sip:acme.test\""), "{authorization}");
    assert_eq!(proved.core.call_id, first.core.call_id);
    assert_eq!(proved.core.cseq.number, first.core.cseq.number + 1);

    bench.respond(FIRST, &proved, 200, &[("Contact", "<sip:33155500@127.0.0.1:5060>;expires=1800")]);
    assert!(bench.logged("registered for 1800 s"), "{:?}", bench.logs);
    bench.wait(seconds(1_439.0));
    assert_eq!(bench.lines(), [] as [&str; 0], "four fifths are not over");
    bench.wait(seconds(2.0));
    let (_, refresh) = bench.request(Method::Register);
    assert_eq!(refresh.core.call_id, first.core.call_id, "RFC 3261 §10.2: the same Call-ID at one registrar");
    assert!(refresh.core.cseq.number > proved.core.cseq.number);
}

#[test]
fn a_registration_follows_the_expiry_that_is_granted_to_its_own_contact() {
    let own = "<sip:33155500@127.0.0.1:5060>";
    let several = format!("<sip:33155500@127.0.0.9:5060>;expires=3600, {own};expires=100");
    let rewritten = "<sip:33155500@203.0.113.7:1024>;expires=100".to_owned();
    for (headers, refresh) in [
        (vec![("Contact", several.as_str()), ("Expires", "3600")], 60.0),
        (vec![("Contact", rewritten.as_str())], 60.0),
        (vec![("Contact", own), ("Expires", "60")], 30.0),
        (vec![("Expires", "10")], 5.0),
        (vec![], 2_880.0),
    ] {
        let mut bench = Bench::new(registering(&["192.0.2.1"], Duration::ZERO));
        let (_, register) = bench.request(Method::Register);
        bench.respond(FIRST, &register, 200, &headers);
        bench.wait(seconds(refresh - 0.1));
        assert_eq!(bench.lines(), [] as [&str; 0], "{headers:?}");
        bench.wait(seconds(0.2));
        assert_eq!(bench.lines(), [format!("{FIRST} REGISTER")], "{headers:?}");
    }
}

#[test]
fn a_refused_password_is_not_tried_again_at_once_and_ever_more_seldom() {
    let mut bench = Bench::new(registering(&["192.0.2.1"], Duration::ZERO));
    let mut waits = Vec::new();
    for _ in 0..3 {
        let (_, register) = bench.request(Method::Register);
        bench.respond(FIRST, &register, 401, &[ASKS]);
        let (_, proved) = bench.request(Method::Register);
        bench.respond(FIRST, &proved, 401, &[ASKS]);
        assert_eq!(bench.lines(), [] as [&str; 0], "401 to right credentials is the last word");
        let since = bench.now.instant;
        while bench.sent.is_empty() {
            bench.wait(seconds(1.0));
        }
        waits.push(bench.now.instant.since(since).as_secs());
    }
    assert_eq!(waits, [30, 60, 120]);
    assert!(bench.logged("refused the user or password (401)"), "{:?}", bench.logs);
}

#[test]
fn an_old_nonce_is_replaced_but_not_for_ever() {
    let mut bench = Bench::new(registering(&["192.0.2.1"], Duration::ZERO));
    let stale = (ASKS.0, "Digest realm=\"acme\", nonce=\"n2\", algorithm=MD5, qop=\"auth\", stale=true");
    let mut tries = 0;
    while !bench.sent.is_empty() {
        let (_, register) = bench.request(Method::Register);
        tries += 1;
        bench.respond(FIRST, &register, 401, &[stale]);
    }
    assert_eq!(tries, 3);
}

#[test]
fn too_brief_an_interval_is_raised_to_what_the_provider_wants() {
    let mut bench = Bench::new(registering(&["192.0.2.1"], Duration::ZERO));
    let (_, register) = bench.request(Method::Register);
    bench.respond(FIRST, &register, 423, &[("Min-Expires", "7200")]);
    let (_, longer) = bench.request(Method::Register);
    assert_eq!(longer.headers.get("Expires"), Some("7200"));
    bench.respond(FIRST, &longer, 423, &[("Min-Expires", "7200")]);
    assert_eq!(bench.lines(), [] as [&str; 0], "who repeats it is not obeyed again");
    bench.wait(seconds(30.1));
    assert_eq!(bench.lines(), [format!("{FIRST} REGISTER")]);
}

#[test]
fn a_contact_that_is_taken_out_again_is_no_registration() {
    let mut bench = Bench::new(registering(&["192.0.2.1"], Duration::ZERO));
    let (_, register) = bench.request(Method::Register);
    bench.respond(FIRST, &register, 200, &[("Contact", "<sip:33155500@127.0.0.1:5060>;expires=0")]);
    assert!(bench.logged("took our contact out"), "{:?}", bench.logs);
    bench.wait(seconds(30.1));
    assert_eq!(bench.lines(), [format!("{FIRST} REGISTER")]);
}

#[test]
fn a_registrar_that_is_silent_is_left_for_the_next_and_returned_to() {
    let mut bench = Bench::new(registering(&["192.0.2.1", "192.0.2.2"], Duration::ZERO));
    bench.wait(seconds(31.9));
    assert_eq!(bench.lines(), [format!("{FIRST} REGISTER")], "64*T1 are not over");
    bench.wait(seconds(0.2));
    bench.accept_registration(SECOND);
    assert_eq!(way_out(&bench), SECOND);
    // Nobody watches these servers, so the next refresh tries the first again.
    bench.wait(seconds(2_880.1));
    bench.accept_registration(FIRST);
}

#[test]
fn an_unreachable_registrar_is_left_at_once() {
    let mut bench = Bench::new(registering(&["192.0.2.1", "192.0.2.2"], Duration::ZERO));
    bench.lines();
    bench.input(Input::TransportError { to: at(FIRST) });
    bench.accept_registration(SECOND);
    // With both gone it is tried every half a minute, not in a circle.
    bench.wait(seconds(2_880.1));
    bench.lines();
    bench.input(Input::TransportError { to: at(FIRST) });
    bench.input(Input::TransportError { to: at(SECOND) });
    bench.lines();
    bench.wait(seconds(29.9));
    assert_eq!(bench.lines(), [] as [&str; 0]);
    bench.wait(seconds(0.2));
    assert_eq!(bench.lines(), [format!("{FIRST} REGISTER")]);
}

#[test]
fn the_watch_moves_the_registration_away_and_back() {
    let mut bench = Bench::new(registering(&["192.0.2.1", "192.0.2.2"], Duration::from_secs(60)));
    assert_eq!(bench.serve(&[FIRST, SECOND], 100.0), [FIRST]);
    // At most a minute to the next OPTIONS, and 64*T1 without an answer to it.
    assert_eq!(bench.serve(&[SECOND], 95.0), [SECOND]);
    assert!(bench.logged("server 1 (udp:192.0.2.1:5060) does not answer"), "{:?}", bench.logs);
    assert_eq!(way_out(&bench), SECOND);
    assert_eq!(bench.serve(&[SECOND], 300.0), [] as [&str; 0]);
    assert_eq!(way_out(&bench), SECOND, "it stays away as long as the first is down");
    assert_eq!(bench.serve(&[FIRST, SECOND], 65.0), [FIRST]);
    assert!(bench.logged("server 1 (udp:192.0.2.1:5060) answers again"), "{:?}", bench.logs);
    assert_eq!(way_out(&bench), FIRST);
    // With neither there it is tried on, and the first to come back has us.
    assert_eq!(bench.serve(&[], 1_000.0), [] as [&str; 0]);
    assert_eq!(bench.serve(&[SECOND], 65.0), [SECOND]);
}

#[test]
fn any_answer_but_503_shows_that_a_server_is_there() {
    for (status, down) in
        [(200, false), (401, false), (404, false), (405, false), (483, false), (500, false), (503, true)]
    {
        let mut bench = Bench::new(watching(&["192.0.2.1", "192.0.2.2"]));
        bench.answer_options(FIRST, status);
        assert_eq!(way_out(&bench), if down { SECOND } else { FIRST }, "{status}");
    }
}

#[test]
fn servers_are_asked_at_their_interval_and_those_that_are_down_sooner() {
    let mut bench = Bench::new(watching(&["192.0.2.1"]));
    let (_, options) = bench.request(Method::Options);
    assert_eq!(options.uri.to_string(), "sip:192.0.2.1");
    bench.respond(FIRST, &options, 200, &[]);
    bench.wait(seconds(59.9));
    assert_eq!(bench.lines(), [] as [&str; 0]);
    bench.wait(seconds(0.2));
    bench.answer_options(FIRST, 503);
    bench.wait(seconds(29.9));
    assert_eq!(bench.lines(), [] as [&str; 0]);
    bench.wait(seconds(0.2));
    assert_eq!(bench.lines(), [format!("{FIRST} OPTIONS")]);
}

#[test]
fn a_server_by_name_is_looked_up_and_each_of_its_addresses_is_watched() {
    let mut settings = watching(&["sip.acme.test"]);
    settings.trunks[0].register = registering(&[], Duration::ZERO).trunks[0].register.clone();
    let mut bench = Bench::new(settings);
    let id = ServerId { trunk: "acme".into(), index: 0 };
    assert_eq!(bench.resolves, std::slice::from_ref(&id));
    assert_eq!(bench.lines(), [] as [&str; 0]);
    bench.input(Input::Resolved { id: id.clone(), targets: Vec::new() });
    assert!(bench.logged("server 1 (sip.acme.test) has no address in DNS"), "{:?}", bench.logs);
    bench.wait(seconds(30.1));
    assert_eq!(bench.resolves.len(), 2, "it is asked for again");
    bench.input(Input::Resolved { id: id.clone(), targets: vec![at(FIRST), at(SECOND)] });
    bench.input(Input::Time);
    let mut lines = bench.lines();
    lines.sort();
    let expected = [format!("{FIRST} OPTIONS"), format!("{FIRST} REGISTER"), format!("{SECOND} OPTIONS")];
    assert_eq!(lines, expected);
    bench.wait(seconds(299.0));
    assert_eq!(bench.resolves.len(), 2);
    bench.wait(seconds(2.0));
    assert_eq!(bench.resolves.len(), 3, "an address may change");
}

#[test]
fn a_look_up_forgets_neither_the_addresses_nor_which_of_them_are_down() {
    let mut bench = Bench::new(watching(&["sip.acme.test"]));
    let id = ServerId { trunk: "acme".into(), index: 0 };
    bench.input(Input::Resolved { id: id.clone(), targets: vec![at(FIRST), at(SECOND)] });
    bench.input(Input::Time);
    bench.answer_options(FIRST, 503);
    bench.answer_options(SECOND, 200);
    assert_eq!(way_out(&bench), SECOND);
    bench.input(Input::Resolved { id: id.clone(), targets: vec![at(FIRST), at(SECOND)] });
    assert_eq!(way_out(&bench), SECOND, "the first is still down");
    bench.input(Input::Resolved { id: id.clone(), targets: Vec::new() });
    assert_eq!(way_out(&bench), SECOND, "an empty answer keeps what was known");
    bench.input(Input::Resolved { id, targets: vec![at("192.0.2.3:5060")] });
    assert_eq!(way_out(&bench), "192.0.2.3:5060");
    bench.wait(seconds(200.0));
    let others = bench.lines().into_iter().filter(|line| !line.starts_with("192.0.2.3")).count();
    assert_eq!(others, 0, "addresses that are gone are not watched");
}

#[test]
fn a_reload_that_changes_nothing_asks_nobody_anything() {
    let settings = registering(&["192.0.2.1", "sip.acme.test"], Duration::from_secs(60));
    let mut bench = Bench::new(settings.clone());
    bench.accept_registration(FIRST);
    bench.resolves.clear();
    bench.lines();
    for _ in 0..100 {
        bench.reload(settings.clone());
    }
    bench.wait(seconds(0.2));
    assert_eq!((bench.lines().len(), bench.resolves.len()), (0, 0));
}

#[test]
fn a_reload_takes_up_new_servers_and_credentials_and_lets_go_of_old_ones() {
    let settings = registering(&["192.0.2.1"], Duration::from_secs(60));
    let mut bench = Bench::new(settings.clone());
    assert_eq!(bench.serve(&[FIRST], 1.0), [FIRST]);
    let mut moved = settings.clone();
    moved.trunks[0].servers = vec![server("192.0.2.2")];
    bench.reload(moved.clone());
    assert_eq!(bench.serve(&[FIRST, SECOND], 1.0), [SECOND]);
    moved.trunks[0].register.as_mut().unwrap().password = "changed".to_owned();
    bench.reload(moved.clone());
    assert_eq!(bench.serve(&[FIRST, SECOND], 100.0), [SECOND]);
    moved.trunks[0].options_interval = Duration::ZERO;
    bench.reload(moved.clone());
    bench.wait(seconds(300.0));
    assert_eq!(bench.lines(), [] as [&str; 0], "nobody is watched any more");
    moved.trunks.clear();
    bench.reload(moved);
    bench.wait(seconds(7_200.0));
    assert_eq!(bench.lines(), [] as [&str; 0]);
    assert_eq!(bench.engine.counts().timers, 0);
}

#[test]
fn a_watch_that_is_switched_off_while_a_question_is_out_stays_off() {
    let mut settings = watching(&["192.0.2.1"]);
    let mut bench = Bench::new(settings.clone());
    let (_, options) = bench.request(Method::Options);
    settings.trunks[0].options_interval = Duration::ZERO;
    bench.reload(settings);
    bench.respond(FIRST, &options, 200, &[]);
    bench.wait(seconds(100.0));
    assert_eq!(bench.lines(), [] as [&str; 0]);
}

#[test]
fn a_snapshot_keeps_the_watch_and_the_registration() {
    let mut bench = Bench::new(registering(&["192.0.2.1", "192.0.2.2"], Duration::from_secs(60)));
    bench.accept_registration(FIRST);
    bench.restore();
    bench.wait(seconds(32.1));
    assert!(bench.logged("server 1 (udp:192.0.2.1:5060) does not answer"), "{:?}", bench.logs);
    bench.restore();
    assert_eq!(way_out(&bench), FIRST, "both are down; the first is the best guess");
}
