#pragma once
// A program's stdin and stdout, or a unix socket, as one stream with a deadline.
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace trapline::bench {

class Channel {
 public:
  static Channel program(const std::vector<std::string>& argv);
  static Channel unix_socket(const std::string& path);
  Channel(Channel&& other) noexcept;
  ~Channel();
  void write(std::string_view text);
  int pid() const { return pid_; }
  std::string read_line();  // without its end
  std::string read_bytes(std::size_t size);

 private:
  Channel(int in, int out, int pid) : in_(in), out_(out), pid_(pid) {}
  void fill();
  int in_ = -1;
  int out_ = -1;
  int pid_ = 0;
  std::string buffer_;
};

}  // namespace trapline::bench
