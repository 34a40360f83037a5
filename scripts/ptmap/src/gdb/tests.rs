//! The client against stubs that are slow, wrong, malicious or not there.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::packet::{Arrival, Reader, framed};
use super::{Client, GdbError};

const TIMEOUT: Duration = Duration::from_millis(400);
const TARGET: &str = r#"l<?xml version="1.0"?><target><architecture>aarch64</architecture>
<xi:include href="core.xml"/><xi:include href="system.xml"/></target>"#;
const CORE: &str =
    r#"l<feature><reg name="x0" bitsize="64"/><reg name="x1" bitsize="64"/></feature>"#;

/// A stub that plays a script: for each packet that it expects, the bytes that it sends.
struct Stub {
    connection: UnixStream,
    reader: Reader,
    /// The packets that it was sent, `-` for a refusal.
    asked: Vec<String>,
}

impl Stub {
    /// The next packet that the client sends; acknowledgements are passed over.
    fn packet(&mut self) -> Option<String> {
        loop {
            match self.reader.next() {
                Some(Arrival::Packet(text)) => {
                    self.asked.push(text.clone());
                    return Some(text);
                }
                Some(_) => self.asked.push("-".to_owned()),
                None => {
                    let mut bytes = [0; 512];
                    match self.connection.read(&mut bytes) {
                        Ok(0) | Err(_) => return None,
                        Ok(count) => self.reader.take(&bytes[..count]),
                    }
                }
            }
        }
    }

    fn say(&mut self, bytes: &[u8]) {
        // The client closes the connection once it has read enough, so a failed write is no error.
        drop(self.connection.write_all(bytes));
    }
}

/// The answers of a correct stub: a machine with 4 KiB of memory at 0x1000, whose byte N is N.
fn good(request: &str) -> String {
    let memory = |address: u64, length: u64| match address {
        0x1000..0x2000 => (address..(address + length).min(0x2000))
            .map(|at| format!("{:02x}", at as u8))
            .collect(),
        _ => "E14".to_owned(),
    };
    match request {
        _ if request.starts_with("qSupported") => "PacketSize=40;qXfer:features:read+".to_owned(),
        _ if request.starts_with("qXfer:features:read:target.xml:0,") => TARGET.to_owned(),
        _ if request.starts_with("qXfer:features:read:core.xml:0,") => CORE.to_owned(),
        "qXfer:features:read:system.xml:0,20" => {
            r#"m<feature><reg name="TTBR0_EL1" bitsize="64" regnum="72"/>"#.to_owned()
        }
        _ if request.starts_with("qXfer:features:read:system.xml:") => {
            r#"l<reg name="TTBR1_EL1" bitsize="64"/></feature>"#.to_owned()
        }
        "qfThreadInfo" => "m01,02".to_owned(),
        "qsThreadInfo" => "l".to_owned(),
        "p48" => "0010230000000000".to_owned(),
        "p49" => "0".to_owned(),
        "p1" => "2a000000".to_owned(),
        "Hg02" | "Qqemu.PhyMemMode:1" | "Qqemu.PhyMemMode:0" | "D" => "OK".to_owned(),
        _ if request.starts_with('m') => {
            let (address, length) = request[1..].split_once(',').unwrap();
            let number = |text| u64::from_str_radix(text, 16).unwrap();
            memory(number(address), number(length))
        }
        _ => String::new(),
    }
}

/// A connection to a stub that `serves` each request, and the thread that returns all requests when
/// the client is gone.
fn pair(
    mut serves: impl FnMut(&mut Stub, String) + Send + 'static,
) -> (UnixStream, JoinHandle<Vec<String>>) {
    let (here, there) = UnixStream::pair().unwrap();
    let stub = thread::spawn(move || {
        let mut stub = Stub {
            connection: there,
            reader: Reader::default(),
            asked: Vec::new(),
        };
        while let Some(request) = stub.packet() {
            serves(&mut stub, request);
        }
        stub.asked
    });
    (here, stub)
}

fn answered(text: &str) -> Vec<u8> {
    [b"+".to_vec(), framed(text)].concat()
}

fn connected(
    serves: impl FnMut(&mut Stub, String) + Send + 'static,
) -> (Client<UnixStream>, JoinHandle<Vec<String>>) {
    let (connection, stub) = pair(serves);
    (Client::connect(connection, TIMEOUT).unwrap(), stub)
}

#[test]
fn registers_are_found_by_their_names_in_all_documents() {
    let (mut client, _stub) = connected(|stub, request| {
        let answer = answered(&good(&request));
        stub.say(&answer);
    });
    assert_eq!(client.register(&["TTBR0_EL1"]).unwrap(), 0x23_1000);
    // x1 is found by the second name, and has four bytes.
    assert_eq!(client.register(&["none", "x1"]).unwrap(), 42);
    // The stub answers one digit, which is no byte.
    let odd = client.register(&["TTBR1_EL1"]).unwrap_err();
    assert!(matches!(odd, GdbError::Unexpected { .. }), "{odd}");
    let error = client.register(&["SCTLR_EL1", "SCTLR"]).unwrap_err();
    let expected = "the debugger's stub describes no register SCTLR_EL1 or SCTLR: is that an \
                    AArch64 QEMU?";
    assert_eq!(error.to_string(), expected);
    assert_eq!(client.cores().unwrap(), ["01", "02"]);
    client.choose("02").unwrap();
}

#[test]
fn memory_is_read_in_parts_that_the_stub_takes_and_at_physical_addresses() {
    let (mut client, stub) = connected(|stub, request| {
        let answer = answered(&good(&request));
        stub.say(&answer);
    });
    let mut bytes = [0; 100];
    client.read_physical(0x1fa0, &mut bytes[..0x60]).unwrap();
    assert_eq!(bytes[..3], [0xa0, 0xa1, 0xa2]);
    assert_eq!(bytes[0x5f], 0xff);
    let error = client.read_physical(0x1fe0, &mut bytes).unwrap_err();
    assert_eq!(error.to_string(), "`m2000,20` was refused: E14");
    client.detach().unwrap();
    let asked = stub.join().unwrap();
    let rest = asked.iter().position(|packet| packet.starts_with('Q'));
    let expected = [
        "Qqemu.PhyMemMode:1",
        "m1fa0,20",
        "m1fc0,20",
        "m1fe0,20",
        "m1fe0,20",
        "m2000,20",
        "Qqemu.PhyMemMode:0",
        "D",
    ];
    assert_eq!(asked[rest.unwrap()..], expected);
}

#[test]
fn packets_may_come_in_any_pieces() {
    let (mut client, _stub) = connected(|stub, request| {
        for byte in answered(&good(&request)) {
            stub.say(&[byte]);
        }
    });
    assert_eq!(client.register(&["TTBR0_EL1"]).unwrap(), 0x23_1000);
}

#[test]
fn a_damaged_answer_is_asked_for_again_and_a_refused_request_is_sent_again() {
    let mut damage: VecDeque<&[u8]> = VecDeque::from([
        b"+$0010230000000000#00".as_slice(),
        b"-".as_slice(),
        b"+$00102300000000".as_slice(),
    ]);
    let (mut client, stub) = connected(move |stub, request| {
        if request != "p48" {
            let answer = answered(&good(&request));
            return stub.say(&answer);
        }
        match damage.pop_front() {
            // A wrong checksum; then the client's packet is refused, too.
            Some(bytes) if damage.len() == 2 => {
                stub.say(bytes);
                stub.say(damage.pop_front().unwrap());
            }
            // A packet that is cut off: its second part comes later.
            Some(bytes) => {
                stub.say(bytes);
                thread::sleep(Duration::from_millis(20));
                stub.say(&framed("0010230000000000")[15..]);
            }
            None => {}
        }
    });
    assert_eq!(client.register(&["TTBR0_EL1"]).unwrap(), 0x23_1000);
    drop(client);
    let asked = stub.join().unwrap();
    assert_eq!(asked[asked.len() - 3..], ["p48", "-", "p48"]);
}

#[test]
fn a_line_that_damages_everything_is_given_up() {
    let (mut client, stub) = connected(|stub, request| match request.as_str() {
        "p48" => (0..3).for_each(|_| stub.say(b"+$ff#00")),
        _ => {
            let answer = answered(&good(&request));
            stub.say(&answer);
        }
    });
    let error = client.register(&["TTBR0_EL1"]).unwrap_err();
    assert!(matches!(error, GdbError::Damaged { .. }), "{error}");
    drop(client);
    let asked = stub.join().unwrap();
    assert_eq!(asked.iter().filter(|packet| *packet == "-").count(), 3);
}

/// Asserts that the call ends soon after the timeout.
#[track_caller]
fn fails_in_time(connection: UnixStream) -> GdbError {
    let begin = Instant::now();
    let Err(error) = Client::connect(connection, TIMEOUT) else {
        panic!("that is no stub");
    };
    assert!(begin.elapsed() < TIMEOUT * 5, "{:?}", begin.elapsed());
    error
}

#[test]
fn silence_ends_in_time() {
    let (connection, _stub) = pair(|_, _| {});
    let error = fails_in_time(connection);
    assert!(matches!(error, GdbError::Silent { .. }), "{error}");
}

#[test]
fn a_trickle_of_nonsense_ends_in_time() {
    let (connection, _stub) = pair(|stub, _| {
        for _ in 0..200 {
            stub.say(b"x");
            thread::sleep(Duration::from_millis(5));
        }
    });
    let error = fails_in_time(connection);
    assert!(matches!(error, GdbError::Silent { .. }), "{error}");
}

#[test]
fn an_answer_without_an_end_is_cut() {
    let (connection, _stub) = pair(|stub, _| {
        stub.say(b"+$");
        for _ in 0..300 {
            stub.say(&[b'a'; 4096]);
        }
    });
    let error = fails_in_time(connection);
    assert!(matches!(error, GdbError::TooLong { .. }), "{error}");
}

#[test]
fn whoever_speaks_another_protocol_is_told_from_a_stub() {
    let (connection, _stub) = pair(|stub, _| stub.say(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
    let error = fails_in_time(connection);
    assert!(matches!(error, GdbError::Silent { .. }), "{error}");
    let (connection, _stub) = pair(|stub, _| {
        let answer = answered("nonsense");
        stub.say(&answer);
    });
    let error = fails_in_time(connection);
    assert!(matches!(error, GdbError::Unexpected { .. }), "{error}");
    let (here, there) = UnixStream::pair().unwrap();
    drop(there);
    let error = fails_in_time(here);
    assert!(
        matches!(error, GdbError::Closed | GdbError::Connection(_)),
        "{error}"
    );
}

#[test]
fn a_machine_that_cannot_be_read_is_let_go_on() {
    let (connection, stub) = pair(|stub, request| {
        let is_description = request.starts_with("qXfer");
        let text = if is_description {
            "E01".to_owned()
        } else {
            good(&request)
        };
        let answer = answered(&text);
        stub.say(&answer);
    });
    let error = fails_in_time(connection);
    assert!(matches!(error, GdbError::Unexpected { .. }), "{error}");
    assert_eq!(stub.join().unwrap().last().unwrap(), "D");
}

/// QEMU 7.2 to a client that comes behind GDB.
#[test]
fn a_stub_that_names_processes_is_read_and_let_go() {
    let (mut client, stub) = connected(|stub, request| {
        let text = match request.as_str() {
            "qfThreadInfo" => "mp01.01".to_owned(),
            "qsThreadInfo"
                if !stub
                    .asked
                    .ends_with(&["qsThreadInfo".into(), request.clone()]) =>
            {
                "mp01.02".to_owned()
            }
            "D" => "E22".to_owned(),
            "qC" => "QCp01.01".to_owned(),
            "Hgp01.02" | "D;01" => "OK".to_owned(),
            other => good(other),
        };
        let answer = answered(&text);
        stub.say(&answer);
    });
    assert_eq!(client.cores().unwrap(), ["p01.01", "p01.02"]);
    client.choose("p01.02").unwrap();
    client.detach().unwrap();
    assert_eq!(stub.join().unwrap().last().unwrap(), "D;01");
}

#[test]
fn what_is_no_thread_is_refused() {
    for name in ["", "x", "p", "p1", "p1.", "p.1", "p1.x", "1.1"] {
        let list = format!("m{name}");
        let (mut client, _stub) = connected(move |stub, request| {
            let is_list = request == "qfThreadInfo";
            let answer = answered(&if is_list {
                list.clone()
            } else {
                good(&request)
            });
            stub.say(&answer);
        });
        let error = client.cores().unwrap_err();
        assert!(
            matches!(error, GdbError::Unexpected { .. }),
            "{name}: {error}"
        );
    }
}

#[test]
fn a_stub_without_physical_memory_is_told() {
    let (mut client, _stub) = connected(|stub, request| {
        let is_mode = request.starts_with("Qqemu");
        let text = if is_mode {
            String::new()
        } else {
            good(&request)
        };
        let answer = answered(&text);
        stub.say(&answer);
    });
    let error = client.read_physical(0x1000, &mut [0; 8]).unwrap_err();
    assert!(matches!(error, GdbError::NotQemu), "{error}");
}

#[test]
fn a_machine_that_was_running_says_first_that_it_has_stopped() {
    let (mut client, _stub) = connected(|stub, request| {
        if request == "p48" {
            stub.say(&framed("T02thread:01;"));
        }
        let answer = answered(&good(&request));
        stub.say(&answer);
    });
    assert_eq!(client.register(&["TTBR0_EL1"]).unwrap(), 0x23_1000);
}

#[test]
fn hidden_and_repeated_bytes_are_unfolded_and_notifications_passed_over() {
    let mut reader = Reader::default();
    reader.take(b"++%Stop:T05#00junk$}\x03#80");
    // 0x03 ^ 0x20 is '#'.
    assert_eq!(reader.next(), Some(Arrival::Packet("#".to_owned())));
    // "0* " stands for 0 and three more (E.2).
    reader.take(b"$0* #7a");
    assert_eq!(reader.next(), Some(Arrival::Packet("0000".to_owned())));
    reader.take(b"$a#zz");
    assert_eq!(reader.next(), Some(Arrival::Damaged));
    assert_eq!((reader.next(), reader.waiting()), (None, 0));
}
