#pragma once

#include <limelight/error.h>

#include <string>
#include <utility>
#include <variant>

namespace limelight {

/// Why something could not be done: one line that names what was wrong, what was expected and what
/// to do about it.
struct Failure {
  std::string message;
};

/// Either a T or the reason why there is none. What every reader of untrusted bytes returns.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}            // NOLINT(google-explicit-constructor)
  Result(Failure failure) : state_(std::move(failure)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return std::holds_alternative<T>(state_); }
  explicit operator bool() const { return ok(); }

  /// The value. Throws Error with the failure's message when there is none.
  T& value() & { return require(), std::get<T>(state_); }
  const T& value() const& { return require(), std::get<T>(state_); }
  T&& value() && { return require(), std::get<T>(std::move(state_)); }

  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }

  /// REQUIRES: !ok().
  const Failure& failure() const { return std::get<Failure>(state_); }
  const std::string& message() const { return failure().message; }

 private:
  void require() const {
    if (!ok()) throw Error(message());
  }

  std::variant<T, Failure> state_;
};

/// A Result with nothing to return.
using Status = Result<std::monostate>;
inline Status success() { return std::monostate{}; }

}  // namespace limelight
