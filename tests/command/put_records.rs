//! `kinesis-agg aggregate --output put-records`: whole requests, none of which Kinesis would refuse.

use super::support::{EVENTS_JSONL, Entry, Outcome, run};

/// Reads requests, and holds that each has its members and no others.
fn requests(outcome: &Outcome) -> Vec<Vec<Entry>> {
    let values = outcome.values();
    for request in &values {
        let members: Vec<&String> = request.as_object().into_iter().flatten().map(|(name, _)| name).collect();
        assert_eq!(members, ["Records", "StreamName"], "in alphabetical order, as the parser sorts them");
        assert_eq!(request["StreamName"], "a-stream");
    }
    values
        .iter()
        .map(|request| request["Records"].as_array().into_iter().flatten().map(Entry::read).collect())
        .collect()
}

fn aggregate(name: &str, options: &str, input: &[u8]) -> Outcome {
    let outcome = run(&format!("aggregate --output put-records --stream-name a-stream {options}"), input);
    assert_eq!(outcome.status, Some(0), "{name}: {}", outcome.stderr);
    outcome
}

#[test]
fn requests_keep_their_bounds_and_are_full() {
    let cases: [(&str, &str, usize); 6] = [
        ("default", "", 5 * 1024 * 1024),
        ("500 entries", "--max-records 1", 5 * 1024 * 1024),
        ("one entry at a time", "--max-bytes 8000 --max-request-bytes 8000", 8000),
        ("a few entries", "--max-bytes 8000 --max-request-bytes 30000", 30_000),
        ("bytes before entries", "--max-records 1 --max-bytes 8000 --max-request-bytes 20000", 20_000),
        ("streamed", "--max-bytes 8000 --max-request-bytes 30000 --order streamed", 30_000),
    ];
    for (name, options, max_request_bytes) in cases {
        let requests = requests(&aggregate(name, options, EVENTS_JSONL));
        let size = |request: &[Entry]| request.iter().map(Entry::size).sum::<usize>();
        for request in &requests {
            assert!((1..=500).contains(&request.len()), "{name}: {} entries", request.len());
            assert!(size(request) <= max_request_bytes, "{name}: {} bytes", size(request));
        }
        for pair in requests.windows(2) {
            let would_fit = size(&pair[0]) + pair[1][0].size() <= max_request_bytes;
            assert!(pair[0].len() == 500 || !would_fit, "{name}: a request ended early");
        }
        // What stands in the entries is what stands in the lines without requests.
        let options = options.split(" --max-request-bytes").next().unwrap();
        let order = if name == "streamed" { "--order streamed" } else { "" };
        let entries = run(&format!("aggregate {options} {order}"), EVENTS_JSONL).entries();
        let same = |a: &Entry, b: &Entry| {
            (&a.partition_key, &a.explicit_hash_key, &a.data)
                == (&b.partition_key, &b.explicit_hash_key, &b.data)
        };
        let flat: Vec<&Entry> = requests.iter().flatten().collect();
        assert_eq!(flat.len(), entries.len(), "{name}");
        assert!(flat.iter().zip(&entries).all(|(a, b)| same(a, b)), "{name}: other entries");
    }
}

#[test]
fn no_more_than_500_entries() {
    let line = b"{\"partitionKey\": \"a\", \"text\": \"x\"}\n";
    for (entries, counts) in
        [(1, &[1][..]), (499, &[499]), (500, &[500]), (501, &[500, 1]), (1001, &[500, 500, 1])]
    {
        let name = format!("{entries} entries");
        let requests = requests(&aggregate(&name, "--max-records 1", &line.repeat(entries)));
        let lens: Vec<usize> = requests.iter().map(Vec::len).collect();
        assert_eq!(lens, counts, "{name}");
    }
}

/// An aggregate of the user record here has 31 bytes, its partition key has 2.
#[test]
fn bytes_are_counted_exactly_and_with_keys() {
    let line = "{\"partitionKey\": \"é\", \"text\": \"x\"}\n".as_bytes();
    for (max_request_bytes, counts) in
        [(33, [1, 1, 1]), (65, [1, 1, 1]), (66, [2, 1, 0]), (98, [2, 1, 0]), (99, [3, 0, 0])]
    {
        let name = format!("{max_request_bytes} bytes");
        let options = format!("--max-records 1 --max-bytes 33 --max-request-bytes {max_request_bytes}");
        let requests = requests(&aggregate(&name, &options, &line.repeat(3)));
        let lens: Vec<usize> = requests.iter().map(Vec::len).collect();
        let expected: Vec<usize> = counts.into_iter().filter(|&count| count > 0).collect();
        assert_eq!(lens, expected, "{name}");
    }
}

/// Six Kinesis records of almost 1 MiB: five go into 5 MiB.
#[test]
fn a_request_has_at_most_5_mib_by_default() {
    let line = format!("{{\"partitionKey\": \"k\", \"text\": \"{}\"}}\n", "t".repeat(1_048_576 - 34));
    let requests = requests(&aggregate("6 MiB", "", line.repeat(6).as_bytes()));
    let lens: Vec<usize> = requests.iter().map(Vec::len).collect();
    assert_eq!(lens, [5, 1]);
}

/// What is pending when a line is bad is a request like any other.
#[test]
fn what_is_pending_is_written_before_a_bad_line() {
    let lines = b"{\"partitionKey\": \"a\", \"text\": \"x\"}\n".repeat(3);
    let input = [&lines, &b"bad\n"[..], &lines].concat();
    let outcome = run("aggregate --output put-records --stream-name a-stream --max-records 2", &input)
        .failed("bad", &[":4: "]);
    let requests = requests(&outcome);
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].len(), 2);
}
