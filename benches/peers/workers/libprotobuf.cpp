// Google's C++ protobuf with OpenSSL's MD5. worker.py documents the protocol.
//
//   libprotobuf DIR heap     a new message on the heap for each payload
//   libprotobuf DIR arena    a new message on an arena for each payload; the arena's memory is reused
//   libprotobuf DIR reuse    one message, cleared before each payload, which keeps its memory

#include <openssl/evp.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "aggregated.pb.h"

namespace {

constexpr std::string_view kMagic = "\xf3\x89\x9a\xc2";
constexpr std::size_t kDigest = 16;

[[noreturn]] void fail(const char* why) {
  std::fprintf(stderr, "libprotobuf: %s\n", why);
  std::exit(1);
}

void md5(std::string_view bytes, unsigned char* digest) {
  static EVP_MD* const kMd5 = EVP_MD_fetch(nullptr, "MD5", nullptr);
  static EVP_MD_CTX* const kContext = EVP_MD_CTX_new();
  if (!EVP_DigestInit_ex2(kContext, kMd5, nullptr) || !EVP_DigestUpdate(kContext, bytes.data(), bytes.size()) ||
      !EVP_DigestFinal_ex(kContext, digest, nullptr)) {
    fail("no MD5");
  }
}

std::string hex_md5(std::string_view bytes) {
  unsigned char digest[kDigest];
  md5(bytes, digest);
  std::string hex;
  for (unsigned char byte : digest) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", byte);
    hex += digits;
  }
  return hex;
}

struct Corpus {
  std::string payload;
  std::string written;
  std::vector<std::pair<std::string_view, std::string_view>> records;
};

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) fail("a corpus is missing");
  return {std::istreambuf_iterator<char>(file), {}};
}

std::uint32_t length_at(std::string_view bytes, std::size_t at) {
  std::uint32_t length = 0;
  for (int byte = 3; byte >= 0; --byte) length = length << 8 | static_cast<unsigned char>(bytes[at + byte]);
  return length;
}

void append_length(std::string& bytes, std::size_t length) {
  for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(length >> shift & 0xff);
}

Corpus* open(const std::string& folder, const std::string& name) {
  // Allocated on the heap and never moved, because the user records point into it.
  auto* corpus = new Corpus{read(folder + "/" + name + ".payload"), read(folder + "/" + name + ".records"), {}};
  const std::string_view written = corpus->written;
  for (std::size_t at = 0; at < written.size();) {
    const std::size_t key = at + 8;
    const std::size_t data = key + length_at(written, at);
    const std::size_t data_length = length_at(written, at + 4);
    corpus->records.emplace_back(written.substr(key, data - key), written.substr(data, data_length));
    at = data + data_length;
  }
  return corpus;
}

template <typename Visit>
void visit_records(std::string_view payload, AggregatedRecord& message, Visit visit) {
  if (payload.size() < kMagic.size() + kDigest || payload.substr(0, kMagic.size()) != kMagic) fail("plain");
  const std::string_view body = payload.substr(kMagic.size(), payload.size() - kMagic.size() - kDigest);
  unsigned char digest[kDigest];
  md5(body, digest);
  if (std::memcmp(digest, body.data() + body.size(), kDigest) != 0) fail("digest mismatch");
  if (!message.ParseFromArray(body.data(), static_cast<int>(body.size()))) fail("malformed");
  const std::uint64_t keys = message.partition_key_table_size();
  for (const Record& record : message.records()) {
    if (record.partition_key_index() >= keys) fail("a partition key is missing");
    visit(message.partition_key_table(static_cast<int>(record.partition_key_index())), record.data());
  }
}

std::string serialize(const Corpus& corpus, AggregatedRecord& message) {
  std::unordered_map<std::string_view, std::uint64_t> indexes;
  for (const auto& [key, data] : corpus.records) {
    const auto [entry, is_new] = indexes.try_emplace(key, indexes.size());
    if (is_new) message.add_partition_key_table(key.data(), key.size());
    Record* record = message.add_records();
    record->set_partition_key_index(entry->second);
    record->set_data(data.data(), data.size());
  }
  const std::size_t size = message.ByteSizeLong();
  std::string payload(kMagic.size() + size + kDigest, '\0');
  std::memcpy(payload.data(), kMagic.data(), kMagic.size());
  auto* body = reinterpret_cast<unsigned char*>(payload.data()) + kMagic.size();
  message.SerializeWithCachedSizesToArray(body);
  md5({payload.data() + kMagic.size(), size}, body + size);
  return payload;
}

/// Provides a message to fill, allocated as the variant requires.
class Source {
 public:
  explicit Source(std::string variant) : variant_(std::move(variant)), memory_(64 << 20) {
    if (variant_ != "heap" && variant_ != "arena" && variant_ != "reuse") fail("an unknown variant");
  }

  template <typename Use>
  auto with(Use use) {
    if (variant_ == "heap") {
      AggregatedRecord message;
      return use(message);
    }
    if (variant_ == "reuse") {
      kept_.Clear();
      return use(kept_);
    }
    google::protobuf::ArenaOptions options;
    options.initial_block = memory_.data();
    options.initial_block_size = memory_.size();
    google::protobuf::Arena arena(options);
    return use(*google::protobuf::Arena::CreateMessage<AggregatedRecord>(&arena));
  }

 private:
  std::string variant_;
  std::vector<char> memory_;
  AggregatedRecord kept_;
};

std::size_t deaggregate(const Corpus& corpus, Source& source) {
  return source.with([&](AggregatedRecord& message) {
    std::size_t sum = 0;
    visit_records(corpus.payload, message, [&](const std::string& key, const std::string& data) {
      sum += key.size() + data.size() + (data.empty() ? 0 : static_cast<unsigned char>(data[0]));
    });
    return sum;
  });
}

std::string check(const std::string& operation, const Corpus& corpus, Source& source) {
  return source.with([&](AggregatedRecord& message) {
    if (operation == "aggregate") return hex_md5(serialize(corpus, message));
    std::string written;
    visit_records(corpus.payload, message, [&](const std::string& key, const std::string& data) {
      append_length(written, key.size());
      append_length(written, data.size());
      written += key;
      written += data;
    });
    return hex_md5(written);
  });
}

std::size_t run(const std::string& operation, const Corpus& corpus, Source& source) {
  if (operation == "deaggregate") return deaggregate(corpus, source);
  return source.with([&](AggregatedRecord& message) { return serialize(corpus, message).size(); });
}

/// Returns the CPU time of this process so far.
double nanoseconds() {
  timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return 1e9 * static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) fail("see the top of libprotobuf.cpp");
  Source source(argv[2]);
  std::map<std::string, Corpus*> corpora;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string verb, operation, name;
    int runs = 0;
    words >> verb >> operation >> name >> runs;
    Corpus*& corpus = corpora[name];
    if (corpus == nullptr) corpus = open(argv[1], name);
    if (verb == "check") {
      std::cout << check(operation, *corpus, source) << std::endl;
      continue;
    }
    std::size_t sum = run(operation, *corpus, source);
    const double start = nanoseconds();
    for (int count = 0; count < runs; ++count) sum += run(operation, *corpus, source);
    const double took = nanoseconds() - start;
    if (sum == 0) fail("nothing was done");
    std::cout << std::fixed << took / runs << std::endl;
  }
}
