//! One aggregate as tools and languages write it. Each rendering is read correctly, or refused with what it looks like.

use core::str;

use super::support::{Folder, base64, run, values};

/// Two user records. Their data has quotation marks, a backslash, a newline and a character that is not ASCII.
const PAYLOAD: &[u8] = b"\xf3\x89\x9a\xc2\n\x01a\n\x01b\x1a\r\x08\x00\x1a\tsay \"hi\"\n\x1a\x11\x08\x01\x1a\r\\ '\xc3\xbc' ~~~???\xe4\xee\xec1\xa3H9\tk\xe1~\xb9\xa8\xa0\x95\xae";

/// The program that wrote it, and its text.
type Rendering = (&'static str, &'static [u8]);

const READ: [Rendering; 57] = [
    ("base64", b"84mawgoBYQoBYhoNCAAaCXNheSAiaGkiChoRCAEaDVwgJ8O8JyB+fn4/Pz/k7uwxo0g5CWvhfrmo\noJWu\n"),
    ("base64 -w 0", b"84mawgoBYQoBYhoNCAAaCXNheSAiaGkiChoRCAEaDVwgJ8O8JyB+fn4/Pz/k7uwxo0g5CWvhfrmooJWu"),
    ("openssl base64", b"84mawgoBYQoBYhoNCAAaCXNheSAiaGkiChoRCAEaDVwgJ8O8JyB+fn4/Pz/k7uwx\no0g5CWvhfrmooJWu\n"),
    ("base64 of macOS, on one line", b"84mawgoBYQoBYhoNCAAaCXNheSAiaGkiChoRCAEaDVwgJ8O8JyB+fn4/Pz/k7uwxo0g5CWvhfrmooJWu\n"),
    ("base64 in an e-mail, with CRLF", b"84mawgoBYQoBYhoNCAAaCXNheSAiaGkiChoRCAEaDVwgJ8O8JyB+fn4/Pz/k7uwxo0g5CWvhfrmo\r\noJWu\r\n"),
    ("basenc --base64url", b"84mawgoBYQoBYhoNCAAaCXNheSAiaGkiChoRCAEaDVwgJ8O8JyB-fn4_Pz_k7uwxo0g5CWvhfrmo\noJWu\n"),
    ("base64 for a JWT: URL-safe, without padding", b"84mawgoBYQoBYhoNCAAaCXNheSAiaGkiChoRCAEaDVwgJ8O8JyB-fn4_Pz_k7uwxo0g5CWvhfrmooJWu\n"),
    ("Notepad: base64 with a byte-order mark", b"\xef\xbb\xbf84mawgoBYQoBYhoNCAAaCXNheSAiaGkiChoRCAEaDVwgJ8O8JyB+fn4/Pz/k7uwxo0g5CWvhfrmooJWu\r\n"),
    ("base64, three times", b"84mawgoBYQoBYhoNCAAaCXNheSAiaGkiChoRCAEaDVwgJ8O8JyB+fn4/Pz/k7uwxo0g5CWvhfrmo\noJWu\n84mawgoBYQoBYhoNCAAaCXNheSAiaGkiChoRCAEaDVwgJ8O8JyB+fn4/Pz/k7uwxo0g5CWvhfrmo\noJWu\n84mawgoBYQoBYhoNCAAaCXNheSAiaGkiChoRCAEaDVwgJ8O8JyB+fn4/Pz/k7uwxo0g5CWvhfrmo\noJWu\n"),
    ("xxd", b"00000000: f389 9ac2 0a01 610a 0162 1a0d 0800 1a09  ......a..b......\n00000010: 7361 7920 2268 6922 0a1a 1108 011a 0d5c  say \"hi\".......\\\n00000020: 2027 c3bc 2720 7e7e 7e3f 3f3f e4ee ec31   '..' ~~~???...1\n00000030: a348 3909 6be1 7eb9 a8a0 95ae            .H9.k.~.....\n"),
    ("xxd -u -g 1", b"00000000: F3 89 9A C2 0A 01 61 0A 01 62 1A 0D 08 00 1A 09  ......a..b......\n00000010: 73 61 79 20 22 68 69 22 0A 1A 11 08 01 1A 0D 5C  say \"hi\".......\\\n00000020: 20 27 C3 BC 27 20 7E 7E 7E 3F 3F 3F E4 EE EC 31   '..' ~~~???...1\n00000030: A3 48 39 09 6B E1 7E B9 A8 A0 95 AE              .H9.k.~.....\n"),
    ("xxd -g 4", b"00000000: f3899ac2 0a01610a 01621a0d 08001a09  ......a..b......\n00000010: 73617920 22686922 0a1a1108 011a0d5c  say \"hi\".......\\\n00000020: 2027c3bc 27207e7e 7e3f3f3f e4eeec31   '..' ~~~???...1\n00000030: a3483909 6be17eb9 a8a095ae           .H9.k.~.....\n"),
    ("xxd -p", b"f3899ac20a01610a01621a0d08001a0973617920226869220a1a1108011a\n0d5c2027c3bc27207e7e7e3f3f3fe4eeec31a34839096be17eb9a8a095ae\n"),
    ("hexdump -C", b"00000000  f3 89 9a c2 0a 01 61 0a  01 62 1a 0d 08 00 1a 09  |......a..b......|\n00000010  73 61 79 20 22 68 69 22  0a 1a 11 08 01 1a 0d 5c  |say \"hi\".......\\|\n00000020  20 27 c3 bc 27 20 7e 7e  7e 3f 3f 3f e4 ee ec 31  | '..' ~~~???...1|\n00000030  a3 48 39 09 6b e1 7e b9  a8 a0 95 ae              |.H9.k.~.....|\n0000003c\n"),
    ("od -t x1", b"0000000 f3 89 9a c2 0a 01 61 0a 01 62 1a 0d 08 00 1a 09\n0000020 73 61 79 20 22 68 69 22 0a 1a 11 08 01 1a 0d 5c\n0000040 20 27 c3 bc 27 20 7e 7e 7e 3f 3f 3f e4 ee ec 31\n0000060 a3 48 39 09 6b e1 7e b9 a8 a0 95 ae\n0000074\n"),
    ("od -A x -t x1z", b"000000 f3 89 9a c2 0a 01 61 0a 01 62 1a 0d 08 00 1a 09  >......a..b......<\n000010 73 61 79 20 22 68 69 22 0a 1a 11 08 01 1a 0d 5c  >say \"hi\".......\\<\n000020 20 27 c3 bc 27 20 7e 7e 7e 3f 3f 3f e4 ee ec 31  > '..' ~~~???...1<\n000030 a3 48 39 09 6b e1 7e b9 a8 a0 95 ae              >.H9.k.~.....<\n00003c\n"),
    ("od -A n -t x1", b" f3 89 9a c2 0a 01 61 0a 01 62 1a 0d 08 00 1a 09\n 73 61 79 20 22 68 69 22 0a 1a 11 08 01 1a 0d 5c\n 20 27 c3 bc 27 20 7e 7e 7e 3f 3f 3f e4 ee ec 31\n a3 48 39 09 6b e1 7e b9 a8 a0 95 ae\n"),
    ("tcpdump -X", b"\t0x0000:  f389 9ac2 0a01 610a 0162 1a0d 0800 1a09  ......a..b......\n\t0x0010:  7361 7920 2268 6922 0a1a 1108 011a 0d5c  say \"hi\".......\\\n\t0x0020:  2027 c3bc 2720 7e7e 7e3f 3f3f e4ee ec31   '..' ~~~???...1\n\t0x0030:  a348 3909 6be1 7eb9 a8a0 95ae            .H9.k.~.....\n"),
    ("Python: print(b)", b"b'\\xf3\\x89\\x9a\\xc2\\n\\x01a\\n\\x01b\\x1a\\r\\x08\\x00\\x1a\\tsay \"hi\"\\n\\x1a\\x11\\x08\\x01\\x1a\\r\\\\ \\'\\xc3\\xbc\\' ~~~???\\xe4\\xee\\xec1\\xa3H9\\tk\\xe1~\\xb9\\xa8\\xa0\\x95\\xae'\n"),
    ("Python: print(bytearray(b))", b"bytearray(b'\\xf3\\x89\\x9a\\xc2\\n\\x01a\\n\\x01b\\x1a\\r\\x08\\x00\\x1a\\tsay \"hi\"\\n\\x1a\\x11\\x08\\x01\\x1a\\r\\\\ \\'\\xc3\\xbc\\' ~~~???\\xe4\\xee\\xec1\\xa3H9\\tk\\xe1~\\xb9\\xa8\\xa0\\x95\\xae')\n"),
    ("Python: b.hex()", b"f3899ac20a01610a01621a0d08001a0973617920226869220a1a1108011a0d5c2027c3bc27207e7e7e3f3f3fe4eeec31a34839096be17eb9a8a095ae\n"),
    ("Python: b.hex(' ')", b"f3 89 9a c2 0a 01 61 0a 01 62 1a 0d 08 00 1a 09 73 61 79 20 22 68 69 22 0a 1a 11 08 01 1a 0d 5c 20 27 c3 bc 27 20 7e 7e 7e 3f 3f 3f e4 ee ec 31 a3 48 39 09 6b e1 7e b9 a8 a0 95 ae\n"),
    ("Python: b.hex(':')", b"f3:89:9a:c2:0a:01:61:0a:01:62:1a:0d:08:00:1a:09:73:61:79:20:22:68:69:22:0a:1a:11:08:01:1a:0d:5c:20:27:c3:bc:27:20:7e:7e:7e:3f:3f:3f:e4:ee:ec:31:a3:48:39:09:6b:e1:7e:b9:a8:a0:95:ae\n"),
    ("Python: list(b)", b"[243, 137, 154, 194, 10, 1, 97, 10, 1, 98, 26, 13, 8, 0, 26, 9, 115, 97, 121, 32, 34, 104, 105, 34, 10, 26, 17, 8, 1, 26, 13, 92, 32, 39, 195, 188, 39, 32, 126, 126, 126, 63, 63, 63, 228, 238, 236, 49, 163, 72, 57, 9, 107, 225, 126, 185, 168, 160, 149, 174]\n"),
    ("Python: base64.b64encode(b)", b"b'84mawgoBYQoBYhoNCAAaCXNheSAiaGkiChoRCAEaDVwgJ8O8JyB+fn4/Pz/k7uwxo0g5CWvhfrmooJWu'\n"),
    ("Node: JSON.stringify(b)", b"{\"type\":\"Buffer\",\"data\":[243,137,154,194,10,1,97,10,1,98,26,13,8,0,26,9,115,97,121,32,34,104,105,34,10,26,17,8,1,26,13,92,32,39,195,188,39,32,126,126,126,63,63,63,228,238,236,49,163,72,57,9,107,225,126,185,168,160,149,174]}\n"),
    ("Node: b.toString('hex')", b"f3899ac20a01610a01621a0d08001a0973617920226869220a1a1108011a0d5c2027c3bc27207e7e7e3f3f3fe4eeec31a34839096be17eb9a8a095ae\n"),
    ("Node: b.toString('binary')", b"\xc3\xb3\xc2\x89\xc2\x9a\xc3\x82\n\x01a\n\x01b\x1a\r\x08\x00\x1a\tsay \"hi\"\n\x1a\x11\x08\x01\x1a\r\\ '\xc3\x83\xc2\xbc' ~~~???\xc3\xa4\xc3\xae\xc3\xac1\xc2\xa3H9\tk\xc3\xa1~\xc2\xb9\xc2\xa8\xc2\xa0\xc2\x95\xc2\xae"),
    ("jq: a string", b"\"84mawgoBYQoBYhoNCAAaCXNheSAiaGkiChoRCAEaDVwgJ8O8JyB+fn4/Pz/k7uwxo0g5CWvhfrmooJWu\"\n"),
    ("jq: an array of strings", b"[\n  \"84mawgoBYQoBYhoNCAAaCXNheSAiaGkiChoRCAEaDVwgJ8O8JyB+fn4/Pz/k7uwxo0g5CWvhfrmooJWu\",\n  \"84mawgoBYQoBYhoNCAAaCXNheSAiaGkiChoRCAEaDVwgJ8O8JyB+fn4/Pz/k7uwxo0g5CWvhfrmooJWu\"\n]\n"),
    ("PHP: json_encode", b"\"84mawgoBYQoBYhoNCAAaCXNheSAiaGkiChoRCAEaDVwgJ8O8JyB+fn4\\/Pz\\/k7uwxo0g5CWvhfrmooJWu\"\n"),
    ("PHP: bin2hex", b"f3899ac20a01610a01621a0d08001a0973617920226869220a1a1108011a0d5c2027c3bc27207e7e7e3f3f3fe4eeec31a34839096be17eb9a8a095ae\n"),
    ("Java: Arrays.toString(b)", b"[-13, -119, -102, -62, 10, 1, 97, 10, 1, 98, 26, 13, 8, 0, 26, 9, 115, 97, 121, 32, 34, 104, 105, 34, 10, 26, 17, 8, 1, 26, 13, 92, 32, 39, -61, -68, 39, 32, 126, 126, 126, 63, 63, 63, -28, -18, -20, 49, -93, 72, 57, 9, 107, -31, 126, -71, -88, -96, -107, -82]\n"),
    ("Go: %v", b"[243 137 154 194 10 1 97 10 1 98 26 13 8 0 26 9 115 97 121 32 34 104 105 34 10 26 17 8 1 26 13 92 32 39 195 188 39 32 126 126 126 63 63 63 228 238 236 49 163 72 57 9 107 225 126 185 168 160 149 174]\n"),
    ("Go: %x", b"f3899ac20a01610a01621a0d08001a0973617920226869220a1a1108011a0d5c2027c3bc27207e7e7e3f3f3fe4eeec31a34839096be17eb9a8a095ae\n"),
    ("Go: % x", b"f3 89 9a c2 0a 01 61 0a 01 62 1a 0d 08 00 1a 09 73 61 79 20 22 68 69 22 0a 1a 11 08 01 1a 0d 5c 20 27 c3 bc 27 20 7e 7e 7e 3f 3f 3f e4 ee ec 31 a3 48 39 09 6b e1 7e b9 a8 a0 95 ae\n"),
    ("Go: %#v", b"[]byte{0xf3, 0x89, 0x9a, 0xc2, 0xa, 0x1, 0x61, 0xa, 0x1, 0x62, 0x1a, 0xd, 0x8, 0x0, 0x1a, 0x9, 0x73, 0x61, 0x79, 0x20, 0x22, 0x68, 0x69, 0x22, 0xa, 0x1a, 0x11, 0x8, 0x1, 0x1a, 0xd, 0x5c, 0x20, 0x27, 0xc3, 0xbc, 0x27, 0x20, 0x7e, 0x7e, 0x7e, 0x3f, 0x3f, 0x3f, 0xe4, 0xee, 0xec, 0x31, 0xa3, 0x48, 0x39, 0x9, 0x6b, 0xe1, 0x7e, 0xb9, 0xa8, 0xa0, 0x95, 0xae}\n"),
    ("Go: %q", b"\"\\xf3\\x89\\x9a\\xc2\\n\\x01a\\n\\x01b\\x1a\\r\\b\\x00\\x1a\\tsay \\\"hi\\\"\\n\\x1a\\x11\\b\\x01\\x1a\\r\\\\ '\xc3\xbc' ~~~???\\xe4\\xee\\xec1\\xa3H9\\tk\\xe1~\\xb9\\xa8\\xa0\\x95\\xae\"\n"),
    ("Rust: {:?}", b"[243, 137, 154, 194, 10, 1, 97, 10, 1, 98, 26, 13, 8, 0, 26, 9, 115, 97, 121, 32, 34, 104, 105, 34, 10, 26, 17, 8, 1, 26, 13, 92, 32, 39, 195, 188, 39, 32, 126, 126, 126, 63, 63, 63, 228, 238, 236, 49, 163, 72, 57, 9, 107, 225, 126, 185, 168, 160, 149, 174]\n"),
    ("Rust: {:x?}", b"[f3, 89, 9a, c2, a, 1, 61, a, 1, 62, 1a, d, 8, 0, 1a, 9, 73, 61, 79, 20, 22, 68, 69, 22, a, 1a, 11, 8, 1, 1a, d, 5c, 20, 27, c3, bc, 27, 20, 7e, 7e, 7e, 3f, 3f, 3f, e4, ee, ec, 31, a3, 48, 39, 9, 6b, e1, 7e, b9, a8, a0, 95, ae]\n"),
    ("Rust: {:02X?}", b"[F3, 89, 9A, C2, 0A, 01, 61, 0A, 01, 62, 1A, 0D, 08, 00, 1A, 09, 73, 61, 79, 20, 22, 68, 69, 22, 0A, 1A, 11, 08, 01, 1A, 0D, 5C, 20, 27, C3, BC, 27, 20, 7E, 7E, 7E, 3F, 3F, 3F, E4, EE, EC, 31, A3, 48, 39, 09, 6B, E1, 7E, B9, A8, A0, 95, AE]\n"),
    ("Rust: escape_ascii", b"\\xf3\\x89\\x9a\\xc2\\n\\x01a\\n\\x01b\\x1a\\r\\x08\\x00\\x1a\\tsay \\\"hi\\\"\\n\\x1a\\x11\\x08\\x01\\x1a\\r\\\\ \\'\\xc3\\xbc\\' ~~~???\\xe4\\xee\\xec1\\xa3H9\\tk\\xe1~\\xb9\\xa8\\xa0\\x95\\xae\n"),
    ("C#: BitConverter.ToString", b"F3-89-9A-C2-0A-01-61-0A-01-62-1A-0D-08-00-1A-09-73-61-79-20-22-68-69-22-0A-1A-11-08-01-1A-0D-5C-20-27-C3-BC-27-20-7E-7E-7E-3F-3F-3F-E4-EE-EC-31-A3-48-39-09-6B-E1-7E-B9-A8-A0-95-AE\r\n"),
    ("C: an initializer", b"{ 0xF3, 0x89, 0x9A, 0xC2, 0x0A, 0x01, 0x61, 0x0A, 0x01, 0x62, 0x1A, 0x0D, 0x08, 0x00, 0x1A, 0x09, 0x73, 0x61, 0x79, 0x20, 0x22, 0x68, 0x69, 0x22, 0x0A, 0x1A, 0x11, 0x08, 0x01, 0x1A, 0x0D, 0x5C, 0x20, 0x27, 0xC3, 0xBC, 0x27, 0x20, 0x7E, 0x7E, 0x7E, 0x3F, 0x3F, 0x3F, 0xE4, 0xEE, 0xEC, 0x31, 0xA3, 0x48, 0x39, 0x09, 0x6B, 0xE1, 0x7E, 0xB9, 0xA8, 0xA0, 0x95, 0xAE };\n"),
    ("protobuf: text format", b"\"\\363\\211\\232\\302\\n\\001a\\n\\001b\\032\\r\\010\\000\\032\\tsay \\\"hi\\\"\\n\\032\\021\\010\\001\\032\\r\\\\ \\'\\303\\274\\' ~~~???\\344\\356\\3541\\243H9\\tk\\341~\\271\\250\\240\\225\\256\"\n"),
    ("bash: printf %q", b"$'\\363\\211\\232\\302\\n\\001a\\n\\001b\\032\\r\\b\\000\\032\\tsay \"hi\"\\n\\032\\021\\b\\001\\032\\r\\\\ \\'\\303\\274\\' ~~~???\\344\\356\\3541\\243H9\\tk\\341~\\271\\250\\240\\225\\256'\n"),
    ("psql: bytea", b"\\xf3899ac20a01610a01621a0d08001a0973617920226869220a1a1108011a0d5c2027c3bc27207e7e7e3f3f3fe4eeec31a34839096be17eb9a8a095ae\n"),
    ("SQLite: quote()", b"X'F3899AC20A01610A01621A0D08001A0973617920226869220A1A1108011A0D5C2027C3BC27207E7E7E3F3F3FE4EEEC31A34839096BE17EB9A8A095AE'\n"),
    ("MySQL: HEX() with 0x", b"0xF3899AC20A01610A01621A0D08001A0973617920226869220A1A1108011A0D5C2027C3BC27207E7E7E3F3F3FE4EEEC31A34839096BE17EB9A8A095AE\n"),
    ("Erlang: ~p", b"<<243,137,154,194,10,1,97,10,1,98,26,13,8,0,26,9,115,97,121,32,34,104,105,34,10,26,17,8,1,26,13,92,32,39,195,188,39,32,126,126,126,63,63,63,228,238,236,49,163,72,57,9,107,225,126,185,168,160,149,174>>\n"),
    ("Objective-C: NSData", b"<f3899ac2 0a01610a 01621a0d 08001a09 73617920 22686922 0a1a1108 011a0d5c 2027c3bc 27207e7e 7e3f3f3f e4eeec31 a3483909 6be17eb9 a8a095ae>\n"),
    ("Ruby: inspect", b"\"\\xF3\\x89\\x9A\\xC2\\n\\x01a\\n\\x01b\\x1A\\r\\b\\x00\\x1A\\tsay \\\"hi\\\"\\n\\x1A\\x11\\b\\x01\\x1A\\r\\\\ '\\xC3\\xBC' ~~~???\\xE4\\xEE\\xEC1\\xA3H9\\tk\\xE1~\\xB9\\xA8\\xA0\\x95\\xAE\"\n"),
    ("Perl: unpack \"H*\"", b"f3899ac20a01610a01621a0d08001a0973617920226869220a1a1108011a0d5c2027c3bc27207e7e7e3f3f3fe4eeec31a34839096be17eb9a8a095ae\n"),
    ("curl: percent-encoding of every byte", b"%f3%89%9a%c2%0a%01%61%0a%01%62%1a%0d%08%00%1a%09%73%61%79%20%22%68%69%22%0a%1a%11%08%01%1a%0d%5c%20%27%c3%bc%27%20%7e%7e%7e%3f%3f%3f%e4%ee%ec%31%a3%48%39%09%6b%e1%7e%b9%a8%a0%95%ae\n"),
    ("CSV: a quoted column", b"\"84mawgoBYQoBYhoNCAAaCXNheSAiaGkiChoRCAEaDVwgJ8O8JyB+fn4/Pz/k7uwxo0g5CWvhfrmooJWu\",\n"),
    ("aws: --output text", b"1234\tAAAAAAAAAAExxxxxxxxxxxxxxxxxxxx=\nRECORDS\t2024-11-23T08:25:50+00:00\t84mawgoBYQoBYhoNCAAaCXNheSAiaGkiChoRCAEaDVwgJ8O8JyB+fn4/Pz/k7uwxo0g5CWvhfrmooJWu\ta\t4959\n"),
    ("aws: --query 'Records[].Data' --output text", b"84mawgoBYQoBYhoNCAAaCXNheSAiaGkiChoRCAEaDVwgJ8O8JyB+fn4/Pz/k7uwxo0g5CWvhfrmooJWu\t84mawgoBYQoBYhoNCAAaCXNheSAiaGkiChoRCAEaDVwgJ8O8JyB+fn4/Pz/k7uwxo0g5CWvhfrmooJWu\n"),
];

/// With a part of the message.
const REFUSED: [(&str, &[u8], &str); 23] = [
    ("xxd -e", b"00000000: c29a89f3 0a61010a 0d1a6201 091a0008  ......a..b......\n00000010: 20796173 22696822 08111a0a 5c0d1a01  say \"hi\".......\\\n00000020: bcc32720 7e7e2027 3f3f3f7e 31eceee4   '..' ~~~???...1\n00000030: 093948a3 b97ee16b ae95a0a8           .H9.k.~.....\n", "xxd -e"),
    ("xxd -b", b"00000000: 11110011 10001001 10011010 11000010 00001010 00000001  ......\n00000006: 01100001 00001010 00000001 01100010 00011010 00001101  a..b..\n0000000c: 00001000 00000000 00011010 00001001 01110011 01100001  ....sa\n00000012: 01111001 00100000 00100010 01101000 01101001 00100010  y \"hi\"\n00000018: 00001010 00011010 00010001 00001000 00000001 00011010  ......\n0000001e: 00001101 01011100 00100000 00100111 11000011 10111100  .\\ '..\n00000024: 00100111 00100000 01111110 01111110 01111110 00111111  ' ~~~?\n0000002a: 00111111 00111111 11100100 11101110 11101100 00110001  ??...1\n00000030: 10100011 01001000 00111001 00001001 01101011 11100001  .H9.k.\n00000036: 01111110 10111001 10101000 10100000 10010101 10101110  ~.....\n", "bits"),
    ("xxd -i", b"unsigned char two_bin[] = {\n  0xf3, 0x89, 0x9a, 0xc2, 0x0a, 0x01, 0x61, 0x0a, 0x01, 0x62, 0x1a, 0x0d,\n  0x08, 0x00, 0x1a, 0x09, 0x73, 0x61, 0x79, 0x20, 0x22, 0x68, 0x69, 0x22,\n  0x0a, 0x1a, 0x11, 0x08, 0x01, 0x1a, 0x0d, 0x5c, 0x20, 0x27, 0xc3, 0xbc,\n  0x27, 0x20, 0x7e, 0x7e, 0x7e, 0x3f, 0x3f, 0x3f, 0xe4, 0xee, 0xec, 0x31,\n  0xa3, 0x48, 0x39, 0x09, 0x6b, 0xe1, 0x7e, 0xb9, 0xa8, 0xa0, 0x95, 0xae\n};\nunsigned int two_bin_len = 60;\n", "xxd -p"),
    ("hexdump", b"0000000 89f3 c29a 010a 0a61 6201 0d1a 0008 091a\n0000010 6173 2079 6822 2269 1a0a 0811 1a01 5c0d\n0000020 2720 bcc3 2027 7e7e 3f7e 3f3f eee4 31ec\n0000030 48a3 0939 e16b b97e a0a8 ae95          \n000003c\n", "swapped"),
    ("hexdump -b", b"0000000 363 211 232 302 012 001 141 012 001 142 032 015 010 000 032 011\n0000010 163 141 171 040 042 150 151 042 012 032 021 010 001 032 015 134\n0000020 040 047 303 274 047 040 176 176 176 077 077 077 344 356 354 061\n0000030 243 110 071 011 153 341 176 271 250 240 225 256                \n000003c\n", "octal"),
    ("hexdump -c", b"0000000 363 211 232 302  \\n 001   a  \\n 001   b 032  \\r  \\b  \\0 032  \\t\n0000010   s   a   y       \"   h   i   \"  \\n 032 021  \\b 001 032  \\r   \\\n0000020       ' 303 274   '       ~   ~   ~   ?   ?   ? 344 356 354   1\n0000030 243   H   9  \\t   k 341   ~ 271 250 240 225 256                \n000003c\n", "octal"),
    ("od", b"0000000 104763 141232 000412 005141 061001 006432 000010 004432\n0000020 060563 020171 064042 021151 015012 004021 015001 056015\n0000040 023440 136303 020047 077176 037576 037477 167344 030754\n0000060 044243 004471 160553 134576 120250 127225\n0000074\n", "octal"),
    ("od -x", b"0000000 89f3 c29a 010a 0a61 6201 0d1a 0008 091a\n0000020 6173 2079 6822 2269 1a0a 0811 1a01 5c0d\n0000040 2720 bcc3 2027 7e7e 3f7e 3f3f eee4 31ec\n0000060 48a3 0939 e16b b97e a0a8 ae95\n0000074\n", "swapped"),
    ("od -c", b"0000000 363 211 232 302  \\n 001   a  \\n 001   b 032  \\r  \\b  \\0 032  \\t\n0000020   s   a   y       \"   h   i   \"  \\n 032 021  \\b 001 032  \\r   \\\n0000040       ' 303 274   '       ~   ~   ~   ?   ?   ? 344 356 354   1\n0000060 243   H   9  \\t   k 341   ~ 271 250 240 225 256\n0000074\n", "octal"),
    ("od -A n -t u1", b" 243 137 154 194  10   1  97  10   1  98  26  13   8   0  26   9\n 115  97 121  32  34 104 105  34  10  26  17   8   1  26  13  92\n  32  39 195 188  39  32 126 126 126  63  63  63 228 238 236  49\n 163  72  57   9 107 225 126 185 168 160 149 174\n", "decimal"),
    ("PowerShell: Format-Hex", b"\r\n\r\n           Path: C:\\two.bin\r\n\r\n           00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F\r\n\r\n00000000   F3 89 9A C2 0A 01 61 0A 01 62 1A 0D 08 00 1A 09  \xc3\xb3..a..b\r\n", "hex"),
    ("PowerShell: > file", b"\xff\xfe8\x004\x00m\x00a\x00w\x00g\x00o\x00B\x00Y\x00Q\x00o\x00B\x00Y\x00h\x00o\x00N\x00C\x00A\x00A\x00a\x00C\x00X\x00N\x00h\x00e\x00S\x00A\x00i\x00a\x00G\x00k\x00i\x00C\x00h\x00o\x00R\x00C\x00A\x00E\x00a\x00D\x00V\x00w\x00g\x00J\x008\x00O\x008\x00J\x00y\x00B\x00+\x00f\x00n\x004\x00/\x00P\x00z\x00/\x00k\x007\x00u\x00w\x00x\x00o\x000\x00g\x005\x00C\x00W\x00v\x00h\x00f\x00r\x00m\x00o\x00o\x00J\x00W\x00u\x00\r\x00\n\x00", "iconv -f UTF-16"),
    ("Python: print(response)", b"{'Records': [{'Data': b'\\xf3\\x89\\x9a\\xc2\\n\\x01a\\n\\x01b\\x1a\\r\\x08\\x00\\x1a\\tsay \"hi\"\\n\\x1a\\x11\\x08\\x01\\x1a\\r\\\\ \\'\\xc3\\xbc\\' ~~~???\\xe4\\xee\\xec1\\xa3H9\\tk\\xe1~\\xb9\\xa8\\xa0\\x95\\xae'}]}\n", "json.dumps"),
    ("Python: base64.b32encode(b)", b"6OEZVQQKAFQQUALCDIGQQAA2BFZWC6JAEJUGSIQKDIIQQAI2BVOCAJ6DXQTSA7T6PY7T6P7E53WDDI2IHEEWXYL6XGUKBFNO\n", "base32"),
    ("Python: base64.b85encode(b)", b"^NE_m3ISmX0b&{r2ml%hb76TPB4}wM3K|gz0U8ZlASc7TCm?=)em_4y<nHV-qewXkYvF#msGyau\n", "base85"),
    ("Node: console.log(b)", b"<Buffer f3 89 9a c2 0a 01 61 0a 01 62 1a 0d 08 00 1a 09 73 61 79 20 22 68 69 22 0a 1a 11 08 01 1a 0d 5c 20 27 c3 bc 27 20 7e 7e 7e 3f 3f 3f e4 ee ec 31 a3 48 ... 10 more bytes>\n", "cut short"),
    ("Node: console.log(new Uint8Array(b))", b"Uint8Array(60) [\n  243, 137, 154, 194,  10,   1,  97,  10,   1,  98,  26,\n   13,   8,   0,  26,   9, 115,  97, 121,  32,  34, 104,\n  105,  34,  10,  26,  17,   8,   1,  26,  13,  92,  32,\n   39, 195, 188,  39,  32, 126, 126, 126,  63,  63,  63,\n  228, 238, 236,  49, 163,  72,  57,   9, 107, 225, 126,\n  185, 168, 160, 149, 174\n]\n", "decimal"),
    ("Node: JSON.stringify(new Uint8Array(b))", b"{\"0\":243,\"1\":137,\"2\":154,\"3\":194,\"4\":10,\"5\":1,\"6\":97,\"7\":10,\"8\":1,\"9\":98,\"10\":26,\"11\":13,\"12\":8,\"13\":0,\"14\":26,\"15\":9,\"16\":115,\"17\":97,\"18\":121,\"19\":32,\"20\":34,\"21\":104,\"22\":105,\"23\":34,\"24\":10,\"25\":26,\"26\":17,\"27\":8,\"28\":1,\"29\":26,\"30\":13,\"31\":92,\"32\":32,\"33\":39,\"34\":195,\"35\":188,\"36\":39,\"37\":32,\"38\":126,\"39\":126,\"40\":126,\"41\":63,\"42\":63,\"43\":63,\"44\":228,\"45\":238,\"46\":236,\"47\":49,\"48\":163,\"49\":72,\"50\":57,\"51\":9,\"52\":107,\"53\":225,\"54\":126,\"55\":185,\"56\":168,\"57\":160,\"58\":149,\"59\":174}\n", "Uint8Array"),
    ("aws: --query 'Records[].[PartitionKey,Data]' --output text", b"abcd\t84mawgoBYQoBYhoNCAAaCXNheSAiaGkiChoRCAEaDVwgJ8O8JyB+fn4/Pz/k7uwxo0g5CWvhfrmooJWu\n", "--query"),
    ("gzip", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x01<\x00\xc3\xff\xf3\x89\x9a\xc2\n\x01a\n\x01b\x1a\r\x08\x00\x1a\tsay \"hi\"\n\x1a\x11\x08\x01\x1a\r\\ '\xc3\xbc' ~~~???\xe4\xee\xec1\xa3H9\tk\xe1~\xb9\xa8\xa0\x95\xae30\x8b#<\x00\x00\x00", "gzip -dc"),
    ("uuencode", b"begin 644 two.bin\nM\\XF:P@H!80H!8AH-\"  :\"7-A>2 B:&DB\"AH1\" $:#5P@)\\.\\)R!^?GX_/S_D\n`\nend\n", "uudecode"),
    ("a member copied from JSON", b"\"Data\": \"84mawgoBYQoBYhoNCAAaCXNheSAiaGkiChoRCAEaDVwgJ8O8JyB+fn4/Pz/k7uwxo0g5CWvhfrmooJWu\",\n", "base64"),
    ("a shell variable", b"DATA=84mawgoBYQoBYhoNCAAaCXNheSAiaGkiChoRCAEaDVwgJ8O8JyB+fn4/Pz/k7uwxo0g5CWvhfrmooJWu\n", "base64"),
];

#[test]
fn renderings_are_read() {
    let lines = run("deaggregate --input raw", PAYLOAD).clean("raw");
    let expected: Vec<_> = lines.values().iter().map(|line| line["data"].clone()).collect();
    assert_eq!(expected.len(), 2);
    for (tool, rendering) in READ {
        let outcome = run("deaggregate -q", rendering).clean(tool);
        let data: Vec<_> = outcome.values().iter().map(|line| line["data"].clone()).collect();
        assert!(
            !data.is_empty() && data.chunks(2).all(|pair| pair == expected),
            "{tool}: {}",
            outcome.text()
        );
    }
}

#[test]
fn other_renderings_are_refused() {
    for (tool, rendering, part) in REFUSED {
        for command in ["deaggregate", "cat", "inspect --json"] {
            let outcome = run(command, rendering);
            assert_eq!((outcome.status, outcome.text()), (Some(1), ""), "{tool}: {command}");
            assert!(outcome.stderr.contains(part), "{tool}: {}", outcome.stderr);
        }
    }
}

/// A rendering that the input names is read without detection.
#[test]
fn a_rendering_with_its_form_is_read() {
    for (tool, form) in [
        ("base64", "base64"),
        ("base64, three times", "base64"),
        ("basenc --base64url", "base64"),
        ("xxd -p", "hex"),
        ("Go: % x", "hex"),
        ("C#: BitConverter.ToString", "hex"),
        ("jq: an array of strings", "json"),
        ("Node: JSON.stringify(b)", "json"),
    ] {
        let (_, rendering) = READ.iter().find(|(name, _)| *name == tool).unwrap();
        let detected = run("deaggregate -q", rendering).clean(tool).stdout;
        assert!(
            run(&format!("deaggregate --input {form}"), rendering).clean(tool).stdout == detected,
            "{tool}"
        );
    }
}

/// Aggregates one after the other end where their digests match; of damaged ones, only the beginnings are known.
#[test]
fn several_payloads_in_a_file_are_told_apart() {
    let damaged = [&PAYLOAD[..30], b"!", &PAYLOAD[31..]].concat();
    let reasons = |input: &[u8]| -> Vec<Option<String>> {
        let folder = Folder::new(&[("it", input)]);
        let outcome = folder.run("inspect -q --json it", b"").clean("inspect");
        values(&outcome.stdout).iter().map(|line| line["reason"].as_str().map(str::to_owned)).collect()
    };
    let mismatch = || Some("digest_mismatch".to_owned());
    for (name, parts, expected) in [
        ("three", vec![PAYLOAD, PAYLOAD, PAYLOAD], vec![None, None, None]),
        ("a damaged one at the end", vec![PAYLOAD, &damaged], vec![None, mismatch()]),
        ("a damaged one at the beginning", vec![&damaged, PAYLOAD], vec![mismatch()]),
        ("a newline at the end", vec![PAYLOAD, b"\n"], vec![mismatch()]),
        ("something before", vec![b"x", PAYLOAD, PAYLOAD], vec![Some("no_magic".to_owned())]),
    ] {
        assert_eq!(reasons(&parts.concat()), expected, "{name}");
    }
    let wrapped = |payload: &[u8], width: usize| {
        let text = base64(payload);
        let lines: Vec<&str> =
            text.as_bytes().chunks(width).map(|line| str::from_utf8(line).unwrap()).collect();
        lines.join("\n") + "\n"
    };
    for width in [20, 60, 64, 76, 77, 200] {
        for (name, parts, expected) in [
            ("three", vec![PAYLOAD, PAYLOAD, PAYLOAD], vec![None, None, None]),
            ("a damaged one at the beginning", vec![&damaged, PAYLOAD], vec![mismatch(), None]),
            ("a damaged one at the end", vec![PAYLOAD, &damaged], vec![None, mismatch()]),
            ("one that is cut, and another", vec![&PAYLOAD[..50], PAYLOAD], vec![mismatch(), None]),
        ] {
            let input: String = parts.iter().map(|part| wrapped(part, width)).collect();
            assert_eq!(reasons(input.as_bytes()), expected, "{name}, wrapped after {width}");
        }
    }
}

/// `hexdump` writes `*` for lines that repeat the one before.
#[test]
fn repeated_lines_of_a_dump_are_filled_in() {
    let dump = "00000000  61 62 63 64 61 62 63 64  61 62 63 64 61 62 63 64  |abcdabcdabcdabcd|\n*\n\
                00000030  61 62 63 64                                       |abcd|\n00000034\n";
    let outcome = run("cat --raw", dump.as_bytes()).clean("dump");
    assert_eq!(outcome.text(), "abcd".repeat(13));
    // A dump without a line in the middle is not one.
    let missing = dump.replace("*\n", "");
    run("cat --raw", missing.as_bytes()).failed("dump", &["missing", ":2: "]);
}

/// Text that was encoded or decoded once too often is written as it is, with a warning.
#[test]
fn what_is_encoded_twice_is_noticed() {
    let twice = base64(base64(PAYLOAD).as_bytes());
    let lossy = String::from_utf8_lossy(PAYLOAD).into_owned();
    for (name, input, part) in
        [("base64 twice", twice.as_bytes(), "encoded twice"), ("UTF-8", lossy.as_bytes(), "decoded as UTF-8")]
    {
        let outcome = run("deaggregate", input).warned(name);
        assert!(outcome.stderr.contains(part), "{name}: {}", outcome.stderr);
    }
}
