//! Digests, by whatever computes them, against the `md5` crate.

use kinesis_aggregation::decode::{Md5, PlainReason, deaggregate_all, verify_each};
use kinesis_aggregation::{Encoder, Limits, UserRecord, deaggregate};

use crate::common::random::Random;
use crate::common::{aggregate, frame, unframe};

fn expected(message: &[u8]) -> [u8; 16] {
    md5::compute(message).0
}

/// Every length up to five blocks and around some more, at every place in a word.
#[test]
fn messages_of_every_length_and_place() {
    let bytes = Random::new(0).bytes(5_000);
    for len in (0..330).chain([511, 512, 513, 1023, 1024, 1025, 4095, 4096, 4097]) {
        for offset in 0..16 {
            let message = &bytes[offset..offset + len];
            assert_eq!(Md5::digest(message), expected(message), "{len} bytes from {offset}");
        }
    }
}

/// In two calls, cut anywhere, and in many as long as each other.
#[test]
fn messages_in_pieces() {
    let bytes = Random::new(1).bytes(330);
    for cut in 0..=bytes.len() {
        let mut md5 = Md5::new();
        md5.update(&bytes[..cut]);
        md5.update(&bytes[cut..]);
        assert_eq!(md5.finalize(), expected(&bytes), "cut at {cut}");
    }
    for len in 1..=130 {
        let mut md5 = Md5::new();
        for piece in bytes.chunks(len) {
            md5.update(piece);
            md5.update(&[]);
        }
        assert_eq!(md5.finalize(), expected(&bytes), "pieces of {len}");
    }
}

/// An encoder digests in runs of a kilobyte and more: its aggregate ends at every place around the first and second run.
#[test]
fn digests_in_runs() {
    let data = vec![b'd'; 3_000];
    for sizes in (980..1_030).chain(2_000..2_060) {
        for first in [0, 1, 500, 980] {
            let users = [&data[..first], &data[..sizes - first]].map(|data| UserRecord::new("key", data));
            let mut buffer = vec![0xa5; 4_000];
            let mut encoder = Encoder::<2>::new(&mut buffer, Limits::default());
            assert!(users.iter().all(|&user| encoder.add(user).is_ok()));
            let streamed = encoder.finish().unwrap().data.to_vec();
            // One key: both orders are the same.
            assert_eq!(streamed, aggregate(&users), "{first} and {sizes} bytes");
            assert_eq!(
                streamed[streamed.len() - 16..],
                expected(unframe(&streamed)),
                "{first} and {sizes} bytes"
            );
        }
    }
}

/// Many at once: of equal lengths, of all lengths, and one long one among short ones, fewer and more than any machine has
/// lanes.
#[test]
fn many_messages_at_once() {
    let bytes = Random::new(2).bytes(5_000);
    for count in (0..40).chain([63, 64, 65, 130]) {
        for lengths in [
            |_| 200,
            |message: usize| message * 3,
            |message: usize| if message % 9 == 4 { 4_800 } else { message },
        ] {
            let messages: Vec<&[u8]> =
                (0..count).map(|message| &bytes[message..][..lengths(message)]).collect();
            let mut digests = vec![[0; 16]; count];
            Md5::digest_each(&messages, &mut digests);
            let all = messages.iter().map(|message| expected(message));
            assert!(all.eq(digests), "{count} messages");
        }
    }
}

/// Makes a payload of one kind out of an aggregate.
type Kind = fn(&[u8]) -> Vec<u8>;

/// Records of a batch come apart as each does alone, whatever the others are: plain, cut, damaged, malformed.
#[test]
fn many_records_at_once() {
    let kinds: [Kind; 6] = [
        |whole| whole.to_vec(),
        |_| b"plain".to_vec(),
        |_| vec![],
        |whole| whole[..20].to_vec(),
        |whole| [&whole[..whole.len() - 1], &[0]].concat(),
        |whole| frame(&unframe(whole)[1..]),
    ];
    let mut random = Random::new(3);
    for count in (0..70).chain([127, 128, 129, 200]) {
        let payload = |number: usize| {
            let data = vec![b'd'; random.below(300)];
            let user = UserRecord::new("key", &data);
            kinds[if count % 2 == 0 { random.below(6) } else { number % 6 }](&aggregate(&[user, user]))
        };
        let payloads: Vec<Vec<u8>> = (0..count).map(payload).collect();
        let together = deaggregate_all(&payloads);
        assert_eq!(together.len(), count);
        for (payload, users) in payloads.iter().zip(together) {
            let alone = deaggregate(payload);
            assert_eq!(users.plain_reason(), alone.plain_reason());
            assert!(users.eq(alone), "one of {count}: {payload:02x?}");
        }
        let mut verdicts = vec![Ok(()); count];
        verify_each(&payloads, &mut verdicts);
        let reason = |payload: &Vec<u8>| match deaggregate(payload).plain_reason() {
            None | Some(PlainReason::Malformed(_)) => Ok(()),
            Some(reason) => Err(reason),
        };
        assert!(payloads.iter().map(reason).eq(verdicts), "{count} verdicts");
    }
}
