//! The driver by interrupts, served at chosen times, on the model of the device's queues.
#![forbid(unsafe_code)]

use std::vec::Vec;

use super::super::model::{FRAME_BITS, Model};
use super::super::{Pl011, RECEIVE_SLACK_FRAMES, Serial, UartInterrupts};

/// IMSC with the receive interrupts and overrun unmasked, and with these and transmit.
const RECEIVING: u32 = 1 << 10 | 1 << 6 | 1 << 4;
const BOTH_WAYS: u32 = RECEIVING | 1 << 5;

/// Bytes that the console must take without loss.
const LARGE: usize = 64 << 10;

type Port<'a> = Serial<&'a Model, 256, 256>;

fn start(model: &Model) -> Port<'_> {
    let mut serial = Serial::new(Pl011::new(model));
    serial.start();
    serial
}

/// Numbers that look random, the same ones each time.
struct Numbers(u32);

impl Numbers {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) % limit
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.below(256) as u8).collect()
    }
}

/// Lets bit after bit pass until the other side has sent all, and serves each interrupt as many bit
/// times after it came as `latency_bits` says. Returns what was read, and how many services it
/// took.
fn receive_all(
    model: &Model,
    serial: &mut Port<'_>,
    mut latency_bits: impl FnMut() -> u32,
) -> (Vec<u8>, usize) {
    let (mut bytes, mut services) = (Vec::new(), 0);
    while !model.receiver_is_done() {
        model.tick(1);
        if model.interrupts() {
            model.tick(latency_bits());
            assert!(!serial.service().is_empty());
            services += 1;
            bytes.extend(core::iter::from_fn(|| serial.read()));
        }
    }
    if model.interrupts() {
        // The last bytes were read in time, but a loss before them is still to be told.
        assert_eq!(serial.service(), UartInterrupts::OVERRUN);
    }
    (bytes, services)
}

/// Whether `part` is `whole` with some bytes left out.
fn is_whole_with_gaps(part: &[u8], whole: &[u8]) -> bool {
    let mut whole = whole.iter();
    part.iter().all(|byte| whole.any(|other| other == byte))
}

#[test]
fn the_slack_is_what_the_queue_has_room_for_after_the_interrupt() {
    // 16 places, interrupt at the eighth; 8 frames of 10 bits at 115200 bit/s.
    assert_eq!(RECEIVE_SLACK_FRAMES, 8);
    assert_eq!(RECEIVE_SLACK_FRAMES * FRAME_BITS * 1_000_000 / 115_200, 694);
}

#[test]
fn nothing_is_lost_as_long_as_service_comes_within_the_slack() {
    let model = Model::new(0);
    let mut serial = start(&model);
    let mut numbers = Numbers(1);
    let sent = numbers.bytes(LARGE);
    model.send_from_outside(&sent);
    let (received, services) = receive_all(&model, &mut serial, || {
        numbers.below(RECEIVE_SLACK_FRAMES * FRAME_BITS + 1)
    });
    assert!(received == sent);
    assert_eq!(model.losses(), (0, 0));
    let counts = serial.counts();
    assert_eq!((counts.received, counts.overruns), (LARGE as u64, 0));
    assert_eq!(counts.pauses, 0);
    // One for every 8 to 16 bytes, not one a byte.
    assert!(services <= LARGE / 8, "{services}");
}

#[test]
fn the_whole_slack_every_time_is_still_in_time() {
    let model = Model::new(0);
    let mut serial = start(&model);
    let sent = Numbers(2).bytes(4096);
    model.send_from_outside(&sent);
    let slack_bits = RECEIVE_SLACK_FRAMES * FRAME_BITS;
    let (received, services) = receive_all(&model, &mut serial, || slack_bits);
    assert!(received == sent);
    assert_eq!(services, 4096 / 16);
    assert_eq!(serial.counts().overruns, 0);
}

#[test]
fn one_frame_later_loses_one_byte_each_time_and_says_so() {
    let model = Model::new(0);
    let mut serial = start(&model);
    let sent = Numbers(3).bytes(17 * 100);
    model.send_from_outside(&sent);
    let late_bits = (RECEIVE_SLACK_FRAMES + 1) * FRAME_BITS;
    let (received, _) = receive_all(&model, &mut serial, || late_bits);
    let expected: Vec<u8> = sent
        .chunks(17)
        .flat_map(|all| &all[..16])
        .copied()
        .collect();
    assert!(received == expected);
    assert_eq!(model.losses(), (100, 100));
    assert_eq!(serial.counts().overruns, 100);
}

#[test]
fn every_gap_that_late_service_makes_is_counted_once() {
    let model = Model::new(0);
    let mut serial = start(&model);
    let mut numbers = Numbers(4);
    let sent = numbers.bytes(LARGE);
    model.send_from_outside(&sent);
    let (received, _) = receive_all(&model, &mut serial, || numbers.below(16 * FRAME_BITS));
    let (lost, gaps) = model.losses();
    assert!(lost > 1000 && gaps > 100, "{lost} {gaps}");
    assert_eq!(received.len() + lost, sent.len());
    assert!(is_whole_with_gaps(&received, &sent));
    assert_eq!(serial.counts().overruns, gaps);
    assert_eq!(serial.counts().received, received.len() as u64);
}

#[test]
fn a_gap_at_the_end_of_the_stream_is_counted_though_no_byte_follows() {
    let model = Model::new(0);
    let mut serial = start(&model);
    model.send_from_outside(&[7; 20]);
    model.tick(20 * FRAME_BITS);
    assert_eq!(
        serial.service(),
        UartInterrupts::RECEIVE | UartInterrupts::OVERRUN
    );
    assert_eq!(serial.counts().overruns, 1);
    assert_eq!(serial.counts().received, 16);
}

#[test]
fn a_slow_core_may_lose_bytes_but_never_uncounted() {
    // Each access takes as long as so many bits on the line: bytes come in during the service.
    for access_bits in 1..=6 {
        let model = Model::new(access_bits);
        let mut serial = start(&model);
        let mut numbers = Numbers(access_bits);
        let sent = numbers.bytes(4096);
        model.send_from_outside(&sent);
        let (received, _) = receive_all(&model, &mut serial, || numbers.below(12 * FRAME_BITS));
        let (lost, gaps) = model.losses();
        assert_eq!(received.len() + lost, sent.len());
        assert!(is_whole_with_gaps(&received, &sent));
        assert!((gaps..=gaps + 1).contains(&serial.counts().overruns));
        assert_eq!(serial.counts().overruns == 0, gaps == 0);
    }
}

#[test]
fn the_end_of_a_message_below_the_level_comes_by_the_timeout() {
    for length in 1..8 {
        let model = Model::new(0);
        let mut serial = start(&model);
        let sent = Numbers(5).bytes(length);
        model.send_from_outside(&sent);
        model.tick(length as u32 * FRAME_BITS + 31);
        assert!(!model.interrupts());
        model.tick(1);
        assert_eq!(serial.service(), UartInterrupts::RECEIVE_TIMEOUT);
        let received: Vec<u8> = core::iter::from_fn(|| serial.read()).collect();
        assert_eq!(received, sent);
        assert!(!model.interrupts());
    }
}

#[test]
fn messages_of_any_length_with_pauses_arrive_whole() {
    let model = Model::new(1);
    let mut serial = start(&model);
    let mut numbers = Numbers(6);
    for _ in 0..500 {
        let length = 1 + numbers.below(40) as usize;
        let sent = numbers.bytes(length);
        model.send_from_outside(&sent);
        let (received, _) = receive_all(&model, &mut serial, || numbers.below(30));
        assert_eq!(received, sent);
        model.tick(numbers.below(50));
        assert!(!model.interrupts(), "nothing is left to be served");
    }
}

#[test]
fn what_came_before_the_start_is_not_forgotten() {
    let model = Model::new(0);
    model.send_from_outside(b"0123456789");
    model.tick(200);
    let mut serial = start(&model);
    let received: Vec<u8> = core::iter::from_fn(|| serial.read()).collect();
    assert_eq!(received, b"0123456789");
    assert_eq!(model.imsc(), RECEIVING);
}

#[test]
fn a_damaged_byte_is_dropped_and_counted_and_the_rest_arrives() {
    let model = Model::new(0);
    let mut serial = start(&model);
    model.send_from_outside(b"ab");
    model.send_damaged(b'x', 0b001);
    model.send_damaged(b'y', 0b010);
    model.send_damaged(0, 0b101);
    model.send_from_outside(b"cd");
    let (received, _) = receive_all(&model, &mut serial, || 0);
    assert_eq!(received, b"abcd");
    let counts = serial.counts();
    assert_eq!(
        (counts.framing_errors, counts.parity_errors, counts.breaks),
        (1, 1, 1)
    );
    assert_eq!(counts.received, 4);
}

#[test]
fn a_full_ring_makes_bytes_wait_in_the_device_and_loses_none() {
    let model = Model::new(0);
    let mut serial = start(&model);
    // The ring of 256 and the device's 16: exactly what fits without a reader.
    let sent = Numbers(7).bytes(256 + 16);
    model.send_from_outside(&sent);
    for _ in 0..300 * FRAME_BITS {
        model.tick(1);
        if model.interrupts() {
            let _ = serial.service();
        }
    }
    assert_eq!(serial.counts().pauses, 1);
    assert_eq!(model.imsc(), 1 << 10, "overruns still interrupt");
    let received: Vec<u8> = core::iter::from_fn(|| serial.read()).collect();
    assert!(received == sent);
    assert_eq!(model.losses(), (0, 0));
    assert_eq!(model.imsc(), RECEIVING);
    // And it goes on as before.
    model.send_from_outside(b"again");
    let (received, _) = receive_all(&model, &mut serial, || 0);
    assert_eq!(received, b"again");
}

#[test]
fn what_a_full_ring_costs_beyond_the_device_is_counted() {
    let model = Model::new(0);
    let mut serial = start(&model);
    let sent = Numbers(8).bytes(256 + 16 + 5);
    model.send_from_outside(&sent);
    for _ in 0..300 * FRAME_BITS {
        model.tick(1);
        if model.interrupts() {
            let _ = serial.service();
        }
    }
    assert_eq!(model.losses(), (5, 1));
    assert_eq!(serial.counts().overruns, 1);
    let received: Vec<u8> = core::iter::from_fn(|| serial.read()).collect();
    assert!(received == sent[..256 + 16]);
}

/// Lets time pass, serving every interrupt after `latency_bits`, until nothing is left to be sent.
/// Returns how many services it took.
fn send_all(model: &Model, serial: &mut Port<'_>, latency_bits: u32) -> usize {
    let mut services = 0;
    while serial.unsent() > 0 {
        model.tick(1);
        if model.interrupts() {
            model.tick(latency_bits);
            assert_eq!(serial.service(), UartInterrupts::TRANSMIT);
            services += 1;
        }
    }
    services
}

#[test]
fn everything_written_goes_out_in_order_and_then_the_interrupt_is_masked() {
    for access_bits in [0, 1, 3] {
        let model = Model::new(access_bits);
        let mut serial = start(&model);
        let mut numbers = Numbers(9);
        let sent = numbers.bytes(8192);
        let mut rest: &[u8] = &sent;
        while !rest.is_empty() {
            let length = (1 + numbers.below(400) as usize).min(rest.len());
            let taken = serial.write(&rest[..length]);
            rest = &rest[taken..];
            let expected = if serial.unsent() > 0 {
                BOTH_WAYS
            } else {
                RECEIVING
            };
            assert_eq!(model.imsc(), expected);
            for _ in 0..numbers.below(1000) {
                model.tick(1);
                if model.interrupts() {
                    assert_eq!(serial.service(), UartInterrupts::TRANSMIT);
                }
            }
        }
        send_all(&model, &mut serial, 0);
        assert_eq!(model.imsc(), RECEIVING);
        model.tick(17 * FRAME_BITS);
        assert!(model.sent() == sent);
        assert!(!model.interrupts());
    }
}

#[test]
fn the_first_bytes_are_written_by_hand_since_an_empty_queue_raises_nothing() {
    let model = Model::new(0);
    let mut serial = start(&model);
    assert_eq!(serial.write(b"ok"), 2);
    assert_eq!(serial.unsent(), 0);
    assert_eq!(model.imsc(), RECEIVING);
    model.tick(2 * FRAME_BITS);
    assert_eq!(model.sent(), b"ok");
    assert!(!model.interrupts());
}

#[test]
fn a_full_transmit_ring_takes_what_fits_and_says_how_much() {
    let model = Model::new(0);
    let mut serial = start(&model);
    let sent = Numbers(10).bytes(400);
    // 256 in the ring, 16 in the queue, one on the line.
    assert_eq!(serial.write(&sent), 256 + 16 + 1);
    assert_eq!(serial.write(&sent), 0);
    // 14 bytes for each interrupt, which comes when 2 are left.
    assert_eq!(send_all(&model, &mut serial, 0), 256_usize.div_ceil(14));
    model.tick(17 * FRAME_BITS);
    assert!(model.sent() == sent[..273]);
}

#[test]
fn late_service_of_the_transmitter_costs_time_and_no_byte() {
    let model = Model::new(0);
    let mut serial = start(&model);
    let sent = Numbers(11).bytes(200);
    assert_eq!(serial.write(&sent), 200);
    send_all(&model, &mut serial, 1000);
    model.tick(17 * FRAME_BITS);
    assert!(model.sent() == sent);
}

#[test]
fn flushing_sends_everything_without_an_interrupt() {
    let model = Model::new(1);
    let mut serial = start(&model);
    let sent = Numbers(12).bytes(200);
    assert_eq!(serial.write(&sent), 200);
    serial.flush();
    assert_eq!(serial.unsent(), 0);
    assert_eq!(model.imsc(), RECEIVING);
    assert!(model.sent() == sent);
}

#[test]
fn flushing_a_device_that_stands_gives_up_and_keeps_the_bytes() {
    // No time passes here: the queue never drains.
    let model = Model::new(0);
    let mut serial = start(&model);
    assert_eq!(serial.write(&[0; 100]), 100);
    serial.flush();
    assert_eq!(serial.unsent(), 100 - 17);
}

#[test]
fn both_ways_at_once_disturb_each_other_in_nothing() {
    let model = Model::new(0);
    let mut serial = start(&model);
    let mut numbers = Numbers(13);
    let (inward, outward) = (numbers.bytes(4096), numbers.bytes(4096));
    model.send_from_outside(&inward);
    let (mut received, mut rest): (Vec<u8>, &[u8]) = (Vec::new(), &outward);
    while !model.receiver_is_done() || !rest.is_empty() || serial.unsent() > 0 {
        model.tick(1);
        rest = &rest[serial.write(rest)..];
        if model.interrupts() {
            model.tick(numbers.below(RECEIVE_SLACK_FRAMES * FRAME_BITS));
            let _ = serial.service();
        }
        received.extend(core::iter::from_fn(|| serial.read()));
    }
    model.tick(17 * FRAME_BITS);
    assert!(received == inward);
    assert!(model.sent() == outward);
    assert_eq!(serial.counts().overruns, 0);
}

#[test]
fn a_service_without_a_cause_says_so() {
    let model = Model::new(0);
    let mut serial = start(&model);
    assert_eq!(serial.service(), UartInterrupts::empty());
}
