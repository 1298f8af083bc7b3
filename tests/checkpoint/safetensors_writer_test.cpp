#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <numeric>
#include <vector>

#include "checkpoint/safetensors.h"
#include "checkpoint/safetensors_bytes.h"
#include "checkpoint/safetensors_header.h"
#include "support/conformance.h"
#include "support/temporary_directory.h"

namespace limelight {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr DType kAll[] = {DType::f64, DType::f32, DType::bf16, DType::f16,     DType::boolean,
                          DType::u8,  DType::i8,  DType::u16,  DType::i16,     DType::u32,
                          DType::i32, DType::u64, DType::i64,  DType::f8_e5m2, DType::f8_e4m3};

class SafetensorsWriter : public testing::Test {
 protected:
  std::filesystem::path path() const { return folder_.path() / "model.safetensors"; }

 private:
  test::TemporaryDirectory folder_;
};

template <class... Sizes>
ConstTensorView view_of(const std::vector<double>& values, DType dtype, Sizes... sizes) {
  const std::int64_t shape[] = {sizes...};
  return ConstTensorView(values.data(), dtype, shape);
}

std::string error_of(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors,
                     const std::map<std::string, std::string>& metadata = {}) {
  try {
    (void)write_safetensors(path, tensors, metadata);
  } catch (const Error& error) {
    EXPECT_FALSE(std::filesystem::exists(path));
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return {};
}

TEST_F(SafetensorsWriter, WritesTheBytesThatTheFormatsLibraryWrites) {
  const std::vector<float> f32 = {1.0f, 2.0f};
  const std::uint8_t u8 = 7;
  const std::int64_t i64 = -1;
  ASSERT_TRUE(write_safetensors(path(),
                                {{"b", ConstTensorView::of(&u8, {1})},
                                 {"z", ConstTensorView::of(f32.data(), {2, 1})},
                                 {"a", ConstTensorView::of(f32.data(), {})},
                                 {"i", ConstTensorView::of(&i64, {1})}},
                                {{"format", "pt"}})
                  .ok());
  std::string header =
      R"({"__metadata__":{"format":"pt"},"i":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},)"
      R"("a":{"dtype":"F32","shape":[],"data_offsets":[8,12]},)"
      R"("z":{"dtype":"F32","shape":[2,1],"data_offsets":[12,20]},)"
      R"("b":{"dtype":"U8","shape":[1],"data_offsets":[20,21]}})";
  header.append((8 - header.size() % 8) % 8, ' ');
  std::string data(21, '\xff');
  std::memcpy(data.data() + 8, f32.data(), 4);
  std::memcpy(data.data() + 12, f32.data(), 8);
  data[20] = '\7';
  EXPECT_EQ(test::read_file(path()), test::safetensors_bytes(header, data));
}

TEST_F(SafetensorsWriter, EveryDtypeComesBackAlignedAndTheSame) {
  std::vector<double> numbers(15);
  std::iota(numbers.begin(), numbers.end(), 1.25);
  std::vector<NamedTensor> tensors;
  for (const DType dtype : kAll) {
    tensors.push_back({std::string(name_of(dtype)), view_of(numbers, dtype, 3, 5)});
  }
  tensors.push_back({"none", view_of(numbers, DType::f32, 0, 5)});
  ASSERT_TRUE(write_safetensors(path(), tensors, {{"ключ", "значение\n\"quoted\""}}).ok());

  const std::string bytes = test::read_file(path());
  const auto header = *parse_safetensors_header(test::as_bytes(bytes), "file");
  EXPECT_EQ(header.data_begin % 8, 0u);
  for (const auto& [name, entry] : header.tensors) {
    EXPECT_EQ(entry.begin % size_of(entry.dtype), 0u) << name;
  }
  const SafetensorsFile file = *SafetensorsFile::open(path());
  EXPECT_EQ(file.names().size(), tensors.size());
  EXPECT_EQ(file.metadata().at("ключ"), "значение\n\"quoted\"");
  for (const auto& [name, view] : tensors) {
    const ConstTensorView read = *file.tensor(name);
    EXPECT_EQ(read.dtype(), view.dtype());
    EXPECT_THAT(read.sizes(), testing::ElementsAreArray(view.sizes()));
    const std::size_t size = static_cast<std::size_t>(view.elements()) * size_of(view.dtype());
    EXPECT_EQ(std::memcmp(read.raw(), view.raw(), size), 0) << name;
  }
}

TEST_F(SafetensorsWriter, TheSameTensorsInAnotherOrderGiveTheSameBytes) {
  const std::vector<double> numbers(6, 0.5);
  std::vector<NamedTensor> tensors = {{"a", view_of(numbers, DType::f32, 6)},
                                      {"b", view_of(numbers, DType::f64, 6)},
                                      {"c", view_of(numbers, DType::f32, 2, 3)}};
  ASSERT_TRUE(write_safetensors(path(), tensors).ok());
  const std::string bytes = test::read_file(path());
  std::reverse(tensors.begin(), tensors.end());
  ASSERT_TRUE(write_safetensors(path(), tensors).ok());
  EXPECT_EQ(test::read_file(path()), bytes);
}

TEST_F(SafetensorsWriter, WritesAFileWithoutTensors) {
  ASSERT_TRUE(write_safetensors(path(), {}).ok());
  EXPECT_EQ(test::read_file(path()), test::safetensors_bytes("{}      ", ""));
  EXPECT_THAT(SafetensorsFile::open(path())->names(), testing::IsEmpty());
}

TEST_F(SafetensorsWriter, MisuseIsAnErrorThatNamesTheTensor) {
  const std::vector<double> numbers(6);
  const ConstTensorView view = view_of(numbers, DType::f64, 2, 3);
  EXPECT_THAT(error_of(path(), {{"w", view.transposed(0, 1)}}),
              HasSubstr("'w': expected a contiguous view of [3, 2], found strides [1, 3]"));
  EXPECT_THAT(error_of(path(), {{"w", view}, {"w", view}}),
              HasSubstr("'w': expected each name once"));
  EXPECT_THAT(error_of(path(), {{"__metadata__", view}}), HasSubstr("'__metadata__'"));
  EXPECT_THAT(error_of(path(), {{"w", ConstTensorView()}}), HasSubstr("'w': expected data"));
  EXPECT_THAT(error_of(path(), {{"w\xff", view}}), HasSubstr("UTF-8"));
  EXPECT_THAT(error_of(path(), {}, {{"k", "\xff"}}), HasSubstr("UTF-8"));
}

TEST_F(SafetensorsWriter, AxesOfOneMayHaveAnyStride) {
  const std::vector<double> numbers = {1, 2, 3};
  const std::int64_t sizes[] = {1, 3};
  const std::int64_t strides[] = {77, 1};
  ASSERT_TRUE(write_safetensors(
                  path(), {{"w", ConstTensorView(numbers.data(), DType::f64, sizes, strides)}})
                  .ok());
  const SafetensorsFile file = *SafetensorsFile::open(path());
  EXPECT_THAT(std::span(file.tensor("w")->data<double>(), 3), ElementsAre(1, 2, 3));
}

TEST_F(SafetensorsWriter, ReplacesAFileThatIsBeingRead) {
  const std::vector<double> before = {1, 2, 3};
  const std::vector<double> after = {4, 5, 6};
  ASSERT_TRUE(write_safetensors(path(), {{"w", view_of(before, DType::f64, 3)}}).ok());
  const SafetensorsFile file = *SafetensorsFile::open(path());
  ASSERT_TRUE(write_safetensors(path(), {{"w", view_of(after, DType::f64, 3)}}).ok());
  EXPECT_THAT(std::span(file.tensor("w")->data<double>(), 3), ElementsAre(1, 2, 3));
}

TEST_F(SafetensorsWriter, SaysWhyItCannotWrite) {
  const auto status = write_safetensors(path() / "deeper", {});
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.message(), HasSubstr("check the path"));
}

TEST(SafetensorsNames, AreOnePerDtype) {
  for (const DType dtype : kAll) {
    EXPECT_EQ(dtype_from_safetensors_name(safetensors_name(dtype)), dtype);
  }
  EXPECT_FALSE(dtype_from_safetensors_name("C64").has_value());
}

}  // namespace
}  // namespace limelight
