#pragma once
// What proc.cpp and attachable.cpp share: whole small files of /proc, and the reason why one could not be read.
#include <string>
#include <string_view>

#include "proto/words/ids.hpp"
#include "proto/words/result.hpp"

namespace trapline::os {

// The whole of /proc/ID/NAME. Errors: no_process (gone, also between open and read), no_permission, os.
Result<std::string> proc_file(pid_t id, std::string_view name);

// The words of a /proc file's line after `label` ("Uid:"); empty where there is no such line.
std::string_view proc_field(std::string_view text, std::string_view label);

// /proc/ID/stat after the command name, which may hold spaces and parentheses: field 3 is word 0. Source: proc(5).
Result<std::string> stat_after_comm(pid_t id);

// Word `index` of a text with single spaces; empty where there are fewer.
std::string_view nth_word(std::string_view text, std::size_t index);

std::uint64_t to_number(std::string_view digits, int base = 10);  // 0 where it is none; stops at the first other byte

}  // namespace trapline::os
