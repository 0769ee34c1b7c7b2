"""Builds the programs, reads their sizes, runs them, and writes the tables of docs/size.md. `run` calls this."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from elf import Elf

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
OUT = Path(os.environ["CARGO_TARGET_DIR"])
DOCUMENT = ROOT / "docs" / "size.md"

TARGETS = {
    "thumbv7em-none-eabihf": "Cortex-M4",
    "thumbv6m-none-eabi": "Cortex-M0",
    "riscv32imc-unknown-none-elf": "RISC-V (ESP32-C3)",
}
LEVELS = ["z", "s"]
SUBJECTS = {
    "ours": "this library",
    "micropb": "micropb, md-5",
    "femtopb": "femtopb, md-5",
    "noproto": "noproto, md-5",
    "prost": "prost, md-5",
}
WORK = {"encode": ["encode"], "decode": ["decode"], "both": ["encode", "decode"]}

# What this library's programs may take on a Cortex-M4, in bytes of flash: {program: (features, {opt-level: limit})}.
# "firmware" calls `add` and `add_at`, each in two places, and has explicit hash keys: what saves flash in a program with one
# call may cost it there. It took 8,832 and 9,880 bytes before the encoders shared their code, and may take 3 % more.
BUDGETS = {
    "encode and decode": (["encode", "decode"], {"z": 6_300, "s": 6_800}),
    "encode": (["encode"], {"z": 2_850}),
    "firmware": (["firmware"], {"z": 8_200, "s": 9_500}),
}
# What users build of this library, on the first target: with the installed compiler and the library that it came with, and with
# `-Zbuild-std`.
USES = {
    "encode": ["encode"],
    "encode, with an age limit": ["encode", "age"],
    "encode, and a signed PutRecord request": ["encode", "put"],
}
# As if the library were the only package; benches/Cargo.toml has another profile.
PROFILE = {"PANIC": "abort", "LTO": "fat", "CODEGEN_UNITS": "1", "STRIP": "none", "DEBUG": "false"}


@dataclass
class Size:
    flash: int
    ram: int
    stack: int
    panics: int

    def less(self, empty):
        return Size(self.flash - empty.flash, self.ram - empty.ram, self.stack - empty.stack, self.panics)


def build(target, level, features, installed=False):
    script = HERE / ("riscv.x" if target.startswith("riscv") else "arm.x")
    # The setting is that of sha2, which signed requests need: its loop is not unrolled.
    flags = f'-Clinker={os.environ["LINKER"]} -Clink-arg=-T{script} --cfg=sha2_backend_soft="compact"'
    environment = os.environ | {
        "RUSTFLAGS": flags,
        **{f"CARGO_PROFILE_RELEASE_{name}": value for name, value in (PROFILE | {"OPT_LEVEL": level}).items()},
    }
    command = ["/usr/bin/cargo", "build", "-Zbuild-std=core,alloc"]
    out = OUT
    if installed:
        command, out = ["cargo", "build"], OUT / "installed"
        environment = {k: v for k, v in environment.items() if k not in ("RUSTC", "RUSTC_BOOTSTRAP")}
    command += ["--quiet", "--locked", "--release", "--target-dir", out, "--target", target]
    subprocess.run([*command, "--features", ",".join(features)], cwd=HERE, env=environment, check=True)
    return out / target / "release" / "size"


def run(target, program):
    """Runs the program in an emulator. Returns its deepest stack in bytes."""
    machine = ["qemu-system-arm", "-machine", "mps2-an386"]
    if target.startswith("riscv"):
        machine = ["qemu-system-riscv32", "-machine", "virt", "-bios", "none"]
    machine += ["-display", "none", "-semihosting-config", "enable=on,target=native", "-kernel", program]
    done = subprocess.run(machine, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    if done.returncode:
        sys.exit(f"size: {program} failed\n{done.stdout}{done.stderr}")
    # Which of the two semihosting writes to depends on the version of the emulator.
    return int((done.stdout + done.stderr).strip(), 16)


def measure(target, level, features, installed=False):
    program = build(target, level, features, installed)
    elf = Elf(program)
    return Size(elf.flash, elf.ram, run(target, program), elf.panics())


def table(target, level):
    """One table for a processor and an opt-level, and one for the digest alone."""
    empty = measure(target, level, [])
    rows = {}
    for subject in SUBJECTS:
        row = {work: measure(target, level, [subject, *features]).less(empty) for work, features in WORK.items()}
        rows[subject] = row
        print(f"size: {target} {level} {subject}: {row['both']}", flush=True)
    digests = [measure(target, level, [subject, "digest"]).less(empty) for subject in ("ours", "md-5")]

    lines = [
        "| | encode | decode | both | variables | deepest stack | panics |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for subject, row in rows.items():
        both = row["both"]
        sizes = [row[work].flash for work in WORK] + [both.ram, both.stack]
        cells = " | ".join(f"{size:,}" for size in sizes)
        lines.append(f"| {SUBJECTS[subject]} | {cells} | {both.panics} |")
    ours, md_5 = (digest.flash for digest in digests)
    return [*lines, "", f"MD5 alone: {ours:,} bytes of flash in this library, {md_5:,} in `md-5`."]


def uses():
    """The table of what users build. Returns `None` if the installed compiler cannot build for the target."""
    target = next(iter(TARGETS))
    if subprocess.run(["rustup", "target", "add", target], capture_output=True).returncode:
        print(f"size: SKIPPED: rustup cannot install {target}")
        return None
    ways = [(installed, level) for installed in (True, False) for level in LEVELS]
    empty = {way: measure(target, way[1], [], way[0]) for way in ways}
    lines = ["| | " + " | ".join(f"{'installed' if installed else 'build-std'}, {level}" for installed, level in ways) + " |"]
    lines += ["|---|" + "---:|" * len(ways)]
    for use, features in USES.items():
        sizes = [measure(target, way[1], ["ours", *features], way[0]).less(empty[way]) for way in ways]
        cells = " | ".join(f"{size.flash:,}" + (f" ({size.panics} panics)" if size.panics else "") for size in sizes)
        lines.append(f"| {use} | {cells} |")
        print(f"size: {use}: {cells}", flush=True)
    return lines


def write(name, lines):
    """Puts lines between the marks of this name in the document."""
    before, rest = DOCUMENT.read_text().split(f"<!-- {name} -->\n")
    after = rest[rest.index("<!-- end -->") :]
    text = "\n".join(lines)
    DOCUMENT.write_text(f"{before}<!-- {name} -->\n\n{text}\n\n{after}")


def check():
    """Compares this library's programs with their budgets. Returns whether all are within them."""
    target, good = next(iter(TARGETS)), True
    for level in LEVELS:
        empty = measure(target, level, [])
        for program, (features, limits) in BUDGETS.items():
            size = measure(target, level, ["ours", *features]).less(empty)
            limit = limits.get(level, "any")
            within = size.panics == 0 and (limit == "any" or size.flash <= limit)
            good &= within
            verdict = "ok" if within else "TOO MUCH"
            print(f"size: {level} {program:18} {size.flash:6} of {limit} bytes, {size.panics} panics: {verdict}", flush=True)
    return good


def main():
    if sys.argv[1:] == ["--uses"]:
        if lines := uses():
            write("uses", lines)
        return
    if sys.argv[1:] != ["--check"]:
        if lines := uses():
            write("uses", lines)
        for target in sys.argv[1:] or TARGETS:
            for level in LEVELS:
                write(f"{target} {level}", table(target, level))
    sys.exit(not check())


if __name__ == "__main__":
    main()
