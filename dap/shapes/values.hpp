#pragma once
// Values, scopes, modules and memory references: model -> DAP.
#include <string>

#include "dap/handles.hpp"
#include "proto/control.hpp"
#include "proto/dap/types.hpp"

namespace trapline::dap {

proto::dap::Value shape_value(const proto::ValueInfo& value, StopHandles& handles);
proto::dap::Variable shape_variable(const proto::ValueInfo& value, StopHandles& handles);
proto::dap::VariablePresentationHint shape_hint(const proto::ValueInfo& value);
proto::dap::Scope shape_scope(const proto::ScopeInfo& scope, StopHandles& handles);
proto::dap::Module shape_module(const proto::ModuleInfo& module);

std::string shape_address(LoadAddr at);  // "0x401000"
// Errors: bad_request. Takes 0x… and decimal.
Result<LoadAddr> parse_address(const std::string& reference, std::int64_t offset);

}  // namespace trapline::dap
