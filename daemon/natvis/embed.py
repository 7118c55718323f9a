#!/usr/bin/env python3
"""The visualisers in the box as a C++ source: embed.py OUT FILE..."""
import os
import sys

out, files = sys.argv[1], sys.argv[2:]
with open(out, 'w') as source:
    source.write('#include "daemon/natvis/box.hpp"\n\nnamespace trapline::natvis {\n\n')
    for n, name in enumerate(files):
        data = open(name, 'rb').read()
        # Arrays and not literals: a compiler may refuse literals of more than 64 KiB.
        source.write('static const unsigned char file_%d[] = {' % n)
        for i, byte in enumerate(data):
            source.write(('\n  ' if i % 24 == 0 else '') + '%d,' % byte)
        source.write('0};\n\n')
    source.write('std::span<const BoxFile> box() {\n  static const BoxFile all[] = {\n')
    for n, name in enumerate(files):
        source.write('    {"%s", {reinterpret_cast<const char*>(file_%d), sizeof file_%d - 1}},\n'
                     % (os.path.basename(name), n, n))
    source.write('  };\n  return all;\n}\n\n}  // namespace trapline::natvis\n')
