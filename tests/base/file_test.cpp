#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/atomic_file.h"
#include "base/mapped_file.h"
#include "support/conformance.h"
#include "support/temporary_directory.h"

namespace limelight {
namespace {

namespace fs = std::filesystem;
using test::read_file;
using test::TemporaryDirectory;
using testing::AllOf;
using testing::HasSubstr;

std::vector<std::string> entries(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

mode_t mode_of(const fs::path& path) {
  struct stat status {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0);
  return status.st_mode & 07777;
}

/// Runs `body` in a child process, which can lower its own limits; true when the body says true.
bool in_child(const std::function<bool()>& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body() ? 0 : 1);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

class AtomicFile : public testing::Test {
 protected:
  fs::path file(const std::string& name = "file") const { return folder_.path() / name; }
  const fs::path& folder() const { return folder_.path(); }

 private:
  TemporaryDirectory folder_;
};

TEST_F(AtomicFile, WritesThePiecesInOrder) {
  const std::array<std::string, 3> texts = {"one ", "", "two"};
  std::vector<std::span<const std::byte>> pieces;
  for (const auto& text : texts) pieces.push_back(std::as_bytes(std::span(text)));
  ASSERT_TRUE(write_file_atomically(file(), pieces).ok());
  EXPECT_EQ(read_file(file()), "one two");
  ASSERT_TRUE(write_file_atomically(file(), "").ok());
  EXPECT_EQ(read_file(file()), "");
  EXPECT_THAT(entries(folder()), testing::ElementsAre("file"));
}

TEST_F(AtomicFile, WritesToARelativePathWithoutAFolder) {
  EXPECT_TRUE(in_child([&] {
    return ::chdir(folder().c_str()) == 0 && write_file_atomically("here", "text").ok();
  }));
  EXPECT_EQ(read_file(file("here")), "text");
}

TEST_F(AtomicFile, HonoursTheUmaskForANewFileAndKeepsThePermissionsOfAnOldOne) {
  EXPECT_TRUE(in_child([&] {
    ::umask(027);
    return write_file_atomically(file(), "new").ok();
  }));
  EXPECT_EQ(mode_of(file()), 0640u);
  ASSERT_EQ(::chmod(file().c_str(), 0604), 0);
  ASSERT_TRUE(write_file_atomically(file(), "newer").ok());
  EXPECT_EQ(mode_of(file()), 0604u);
}

TEST_F(AtomicFile, WritesThroughASymbolicLink) {
  ASSERT_TRUE(write_file_atomically(file("real"), "old").ok());
  fs::create_symlink("real", file("link"));
  ASSERT_TRUE(write_file_atomically(file("link"), "new").ok());
  EXPECT_TRUE(fs::is_symlink(file("link")));
  EXPECT_EQ(read_file(file("real")), "new");
}

TEST_F(AtomicFile, AReaderOfTheOldFileKeepsIt) {
  ASSERT_TRUE(write_file_atomically(file(), "old").ok());
  const auto mapped = MappedFile::open(file());
  ASSERT_TRUE(write_file_atomically(file(), "something new").ok());
  ASSERT_EQ(mapped->bytes().size(), 3u);
  EXPECT_EQ(static_cast<char>(mapped->bytes()[0]), 'o');
}

TEST_F(AtomicFile, AFailedWriteLeavesTheOldFileAndNoTemporary) {
  ASSERT_TRUE(write_file_atomically(file(), "old").ok());
  const std::string large(1 << 20, 'x');
  EXPECT_TRUE(in_child([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1 << 16, 1 << 16};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const Status status = write_file_atomically(file(), large);
    return !status.ok() && status.message().find("File too large") != std::string::npos &&
           status.message().find(file().string()) != std::string::npos;
  }));
  EXPECT_EQ(read_file(file()), "old");
  EXPECT_THAT(entries(folder()), testing::ElementsAre("file"));
}

TEST_F(AtomicFile, SaysWhyItCannotWrite) {
  EXPECT_THAT(write_file_atomically(file("missing/file"), "x").message(),
              AllOf(HasSubstr("cannot write " + file("missing/file").string()),
                    HasSubstr("No such file or directory; check the path")));
  EXPECT_THAT(write_file_atomically(folder(), "x").message(), HasSubstr("not of a folder"));
  EXPECT_THAT(write_file_atomically(file(std::string(300, 'n')), "x").message(),
              HasSubstr("File name too long"));
  EXPECT_THAT(entries(folder()), testing::IsEmpty());
}

TEST_F(AtomicFile, DoesNotReplaceADeviceOrAPipe) {
  ASSERT_EQ(::mkfifo(file("pipe").c_str(), 0600), 0);
  EXPECT_THAT(write_file_atomically(file("pipe"), "x").message(), HasSubstr("pipe or a device"));
  EXPECT_TRUE(fs::is_fifo(file("pipe")));
  EXPECT_THAT(write_file_atomically("/dev/null", "x").message(), HasSubstr("pipe or a device"));
}

TEST_F(AtomicFile, RespectsPermissionsOfFileAndFolder) {
  ASSERT_TRUE(write_file_atomically(file(), "old").ok());
  const auto denied = [&] {
    return in_child([&] {
      if (::geteuid() == 0 && ::setuid(65534) != 0) return false;  // root may do anything
      const Status status = write_file_atomically(file(), "new");
      return !status.ok() && status.message().find("check the permissions") != std::string::npos;
    });
  };
  fs::permissions(folder(), fs::perms(0777));
  fs::permissions(file(), fs::perms(0444));
  EXPECT_TRUE(denied()) << "a read-only file in a folder that may be written to";
  fs::permissions(file(), fs::perms(0666));
  fs::permissions(folder(), fs::perms(0555));
  EXPECT_TRUE(denied()) << "a read-only folder";
  fs::permissions(folder(), fs::perms(0755));
  EXPECT_EQ(read_file(file()), "old");
  EXPECT_THAT(entries(folder()), testing::ElementsAre("file"));
}

TEST_F(AtomicFile, AKilledWriterLeavesOneOfTheWholeFiles) {
  const std::string a(1 << 20, 'a');
  const std::string b(1 << 19, 'b');
  ASSERT_TRUE(write_file_atomically(file(), a).ok());
  for (int round = 0; round < 12; ++round) {
    const pid_t child = ::fork();
    if (child == 0) {
      for (;;) {
        (void)write_file_atomically(file(), b);
        (void)write_file_atomically(file(), a);
      }
    }
    std::this_thread::sleep_for(std::chrono::microseconds(1700 * (round + 1)));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    const std::string found = read_file(file());
    EXPECT_TRUE(found == a || found == b) << found.size() << " bytes";
  }
}

TEST_F(AtomicFile, OneOfManyWritersWins) {
  std::vector<std::thread> writers;
  for (char c = 'a'; c < 'i'; ++c) {
    writers.emplace_back([this, c] {
      for (int i = 0; i < 10; ++i) {
        EXPECT_TRUE(write_file_atomically(file(), std::string(100'000, c)).ok());
      }
    });
  }
  for (auto& writer : writers) writer.join();
  const std::string found = read_file(file());
  EXPECT_EQ(found, std::string(100'000, found.at(0)));
  EXPECT_THAT(entries(folder()), testing::ElementsAre("file"));
}

TEST_F(AtomicFile, ReadsAWholeFileUpToALimit) {
  const std::string text(200'000, 't');
  ASSERT_TRUE(write_file_atomically(file(), text).ok());
  EXPECT_EQ(*read_whole_file(file()), text);
  EXPECT_EQ(*read_whole_file(file(), 200'000), text);
  EXPECT_THAT(read_whole_file(file(), 199'999).message(),
              HasSubstr("expected at most 199999 bytes, found 200000"));
  EXPECT_THAT(read_whole_file("/dev/zero", 1 << 20).message(), HasSubstr("at most 1048576 bytes"));
  EXPECT_THAT(read_whole_file(folder()).message(), HasSubstr("not of a folder"));
  EXPECT_THAT(read_whole_file(file("missing")).message(), HasSubstr("check the path"));
  EXPECT_FALSE(read_whole_file("/proc/self/status")->empty());  // whose size the system calls 0
}

TEST_F(AtomicFile, MapsRegularFilesOnly) {
  ASSERT_TRUE(write_file_atomically(file(), "").ok());
  EXPECT_TRUE(MappedFile::open(file())->bytes().empty());
  EXPECT_THAT(MappedFile::open(folder()).message(), HasSubstr("not of a folder"));
  EXPECT_THAT(MappedFile::open(file("missing")).message(), HasSubstr("No such file"));
  ASSERT_EQ(::mkfifo(file("pipe").c_str(), 0600), 0);
  EXPECT_THAT(MappedFile::open(file("pipe")).message(), HasSubstr("regular file"));
  EXPECT_THAT(MappedFile::open("/dev/zero").message(), HasSubstr("regular file"));
}

TEST_F(AtomicFile, AMappingMoves) {
  ASSERT_TRUE(write_file_atomically(file("a"), "aaa").ok());
  ASSERT_TRUE(write_file_atomically(file("b"), "bb").ok());
  MappedFile a = *MappedFile::open(file("a"));
  MappedFile b = *MappedFile::open(file("b"));
  a = std::move(b);
  EXPECT_EQ(a.bytes().size(), 2u);
  const MappedFile c(std::move(a));
  EXPECT_EQ(static_cast<char>(c.bytes()[1]), 'b');
}

}  // namespace
}  // namespace limelight
