"""Measures a linked program: reads the sections and symbols of a 32-bit little-endian ELF file."""

import struct
from pathlib import Path


class Elf:
    def __init__(self, path):
        self.data = Path(path).read_bytes()
        if self.data[:6] != b"\x7fELF\x01\x01":
            raise ValueError(f"{path}: not a 32-bit little-endian ELF file")
        at, = struct.unpack_from("<I", self.data, 32)
        size, count, names = struct.unpack_from("<HHH", self.data, 46)
        headers = [struct.unpack_from("<10I", self.data, at + i * size) for i in range(count)]
        self.sections = {self.text(headers[names][4] + h[0]): h for h in headers}

    def text(self, at):
        return self.data[at : self.data.index(b"\0", at)].decode()

    def size(self, *names):
        """Returns the total size of the named sections."""
        return sum(self.sections[name][5] for name in names if name in self.sections)

    @property
    def flash(self):
        """Code, constants, and initial values of variables."""
        return self.size(".text", ".rodata", ".data")

    @property
    def ram(self):
        """Static variables. The stack is measured at run time."""
        return self.size(".data", ".bss")

    def symbols(self):
        """Yields the name and size of each function and object."""
        _, _, _, _, at, size, _, _, _, _ = self.sections[".symtab"]
        names = self.sections[".strtab"][4]
        for entry in range(at, at + size, 16):
            name, _, length, info = struct.unpack_from("<IIIB", self.data, entry)
            if info & 0xF in (1, 2):
                yield self.text(names + name), length

    def panics(self):
        """Counts the functions of core::panicking, in either name mangling scheme."""
        return sum("9panicking" in name for name, _ in self.symbols())
