#pragma once
// The numbers of the DWARF standard that the scanner knows (DWARF 5 section 7, and GNU extensions). Written out here
// because the room does not include elfutils' <dwarf.h>.
#include <cstdint>

namespace trapline::index::dw {

enum Tag : std::uint16_t {
  tag_array_type = 0x01,
  tag_class_type = 0x02,
  tag_enumeration_type = 0x04,
  tag_formal_parameter = 0x05,
  tag_lexical_block = 0x0b,
  tag_member = 0x0d,
  tag_compile_unit = 0x11,
  tag_structure_type = 0x13,
  tag_subroutine_type = 0x15,
  tag_typedef = 0x16,
  tag_union_type = 0x17,
  tag_inlined_subroutine = 0x1d,
  tag_module = 0x1e,
  tag_catch_block = 0x25,
  tag_base_type = 0x24,
  tag_constant = 0x27,
  tag_enumerator = 0x28,
  tag_subprogram = 0x2e,
  tag_try_block = 0x32,
  tag_variable = 0x34,
  tag_interface_type = 0x38,
  tag_namespace = 0x39,
  tag_unspecified_type = 0x3b,
  tag_partial_unit = 0x3c,
  tag_type_unit = 0x41,
  tag_template_alias = 0x43,
  tag_skeleton_unit = 0x4a,
};

enum At : std::uint16_t {
  at_sibling = 0x01,
  at_location = 0x02,
  at_name = 0x03,
  at_byte_size = 0x0b,
  at_stmt_list = 0x10,
  at_low_pc = 0x11,
  at_high_pc = 0x12,
  at_language = 0x13,
  at_comp_dir = 0x1b,
  at_const_value = 0x1c,
  at_inline = 0x20,
  at_producer = 0x25,
  at_abstract_origin = 0x31,
  at_declaration = 0x3c,
  at_external = 0x3f,
  at_specification = 0x47,
  at_entry_pc = 0x52,
  at_ranges = 0x55,
  at_signature = 0x69,
  at_enum_class = 0x6d,
  at_str_offsets_base = 0x72,
  at_addr_base = 0x73,
  at_rnglists_base = 0x74,
  at_dwo_name = 0x76,
  at_export_symbols = 0x89,
  at_gnu_dwo_name = 0x2130,
  at_gnu_ranges_base = 0x2132,
  at_gnu_addr_base = 0x2133,
};

enum Form : std::uint16_t {
  form_addr = 0x01,
  form_block2 = 0x03,
  form_block4 = 0x04,
  form_data2 = 0x05,
  form_data4 = 0x06,
  form_data8 = 0x07,
  form_string = 0x08,
  form_block = 0x09,
  form_block1 = 0x0a,
  form_data1 = 0x0b,
  form_flag = 0x0c,
  form_sdata = 0x0d,
  form_strp = 0x0e,
  form_udata = 0x0f,
  form_ref_addr = 0x10,
  form_ref1 = 0x11,
  form_ref2 = 0x12,
  form_ref4 = 0x13,
  form_ref8 = 0x14,
  form_ref_udata = 0x15,
  form_indirect = 0x16,
  form_sec_offset = 0x17,
  form_exprloc = 0x18,
  form_flag_present = 0x19,
  form_strx = 0x1a,
  form_addrx = 0x1b,
  form_ref_sup4 = 0x1c,
  form_strp_sup = 0x1d,
  form_data16 = 0x1e,
  form_line_strp = 0x1f,
  form_ref_sig8 = 0x20,
  form_implicit_const = 0x21,
  form_loclistx = 0x22,
  form_rnglistx = 0x23,
  form_ref_sup8 = 0x24,
  form_strx1 = 0x25,
  form_strx2 = 0x26,
  form_strx3 = 0x27,
  form_strx4 = 0x28,
  form_addrx1 = 0x29,
  form_addrx2 = 0x2a,
  form_addrx3 = 0x2b,
  form_addrx4 = 0x2c,
  form_gnu_addr_index = 0x1f01,
  form_gnu_str_index = 0x1f02,
  form_gnu_ref_alt = 0x1f20,
  form_gnu_strp_alt = 0x1f21,
};

enum UnitType : std::uint8_t {
  ut_compile = 1,
  ut_type = 2,
  ut_partial = 3,
  ut_skeleton = 4,
  ut_split_compile = 5,
  ut_split_type = 6,
};

enum RangeEntry : std::uint8_t {
  rle_end_of_list = 0,
  rle_base_addressx = 1,
  rle_startx_endx = 2,
  rle_startx_length = 3,
  rle_offset_pair = 4,
  rle_base_address = 5,
  rle_start_end = 6,
  rle_start_length = 7,
};

enum LineContent : std::uint16_t { lnct_path = 1, lnct_directory_index = 2 };

constexpr bool is_class(std::uint16_t tag) {
  return tag == tag_structure_type || tag == tag_class_type || tag == tag_union_type || tag == tag_interface_type;
}

constexpr bool is_scope(std::uint16_t tag) {
  return is_class(tag) || tag == tag_namespace || tag == tag_module || tag == tag_enumeration_type;
}

constexpr bool is_unit(std::uint16_t tag) {
  return tag == tag_compile_unit || tag == tag_partial_unit || tag == tag_type_unit || tag == tag_skeleton_unit;
}

}  // namespace trapline::index::dw
