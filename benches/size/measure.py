"""Builds the programs, reads their sizes, runs them, and writes the tables of docs/size.md. `run` calls this."""

import os
import shutil
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
WORK = {"encode": ["encode", "digest"], "decode": ["decode", "digest"], "both": ["encode", "decode", "digest"]}

# What encoding, decoding and MD5 may take on a Cortex-M4, in bytes of flash, by opt-level.
BUDGET = {"z": 7_300, "s": 8_100}


@dataclass
class Size:
    flash: int
    ram: int
    stack: int
    panics: int

    def less(self, empty):
        return Size(self.flash - empty.flash, self.ram - empty.ram, self.stack - empty.stack, self.panics)


def tree_without_digest():
    """A copy of the project with a digest that does nothing. All that is not compiled is linked to, not copied."""
    tree = OUT / "no_digest"
    shutil.rmtree(tree, ignore_errors=True)
    ignore = shutil.ignore_patterns("target")
    shutil.copytree(ROOT / "src", tree / "src")
    shutil.copytree(HERE, tree / "benches" / "size", ignore=ignore)
    for entry in ROOT.iterdir():
        if entry.name not in ("src", "benches", "target", ".git"):
            (tree / entry.name).symlink_to(entry)
    for entry in (ROOT / "benches").iterdir():
        if entry.name != "size":
            (tree / "benches" / entry.name).symlink_to(entry)
    kernel = tree / "src" / "digest" / "small.rs"
    if not kernel.exists():
        sys.exit(f"size: the digest is no longer in {kernel}")
    shutil.copy(HERE / "no_digest.rs", kernel)
    return tree / "benches" / "size"


def build(target, level, features, package=HERE):
    # By name alone: the linker runs in the package, and with a path the flags would differ between copies of it.
    script = "riscv.x" if target.startswith("riscv") else "arm.x"
    environment = os.environ | {
        "RUSTFLAGS": f"-Clinker={os.environ['LINKER']} -Clink-arg=-T{script}",
        "CARGO_PROFILE_RELEASE_OPT_LEVEL": level,
    }
    command = ["/usr/bin/cargo", "build", "--quiet", "--locked", "--release", "-Zbuild-std=core,alloc"]
    command += ["--target", target, "--features", ",".join(features)]
    subprocess.run(command, cwd=package, env=environment, check=True)
    return OUT / target / "release" / "size"


def run(target, program):
    """Lets the program do its work; answers with its deepest stack in bytes."""
    machine = ["qemu-system-arm", "-machine", "mps2-an386"]
    if target.startswith("riscv"):
        machine = ["qemu-system-riscv32", "-machine", "virt", "-bios", "none"]
    machine += ["-display", "none", "-semihosting-config", "enable=on,target=native", "-kernel", program]
    done = subprocess.run(machine, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    if done.returncode:
        sys.exit(f"size: {program} did not do its work\n{done.stdout}{done.stderr}")
    # Semihosting writes to either, by the version of the emulator.
    return int((done.stdout + done.stderr).strip(), 16)


def measure(target, level, features, package=HERE):
    program = build(target, level, features, package)
    elf = Elf(program)
    return Size(elf.flash, elf.ram, run(target, program), elf.panics())


def table(target, level, without_digest):
    """One table for a processor and an opt-level, and one for the digest alone."""
    empty = measure(target, level, [])
    rows = {}
    for subject in SUBJECTS:
        row = {work: measure(target, level, [subject, *features]).less(empty) for work, features in WORK.items()}
        package = without_digest if subject == "ours" else HERE
        row["bare"] = measure(target, level, [subject, "encode", "decode"], package).less(empty)
        rows[subject] = row
        print(f"size: {target} {level} {subject}: {row['both']}", flush=True)
    digests = [measure(target, level, [subject, "digest"]).less(empty) for subject in ("ours", "md-5")]

    lines = [
        "| | encode | decode | both | both, no digest | variables | deepest stack | panics |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for subject, row in rows.items():
        both = row["both"]
        sizes = [row[work].flash for work in ("encode", "decode", "both", "bare")] + [both.ram, both.stack]
        cells = " | ".join(f"{size:,}" for size in sizes)
        lines.append(f"| {SUBJECTS[subject]} | {cells} | {both.panics} |")
    ours, md_5 = (digest.flash for digest in digests)
    lines += ["", f"MD5 alone: {ours:,} bytes of flash in this library, {md_5:,} in `md-5`."]
    return lines, rows["ours"]


def write(name, lines):
    """Puts lines between the marks of this name in the document."""
    before, rest = DOCUMENT.read_text().split(f"<!-- {name} -->\n")
    after = rest[rest.index("<!-- end -->") :]
    text = "\n".join(lines)
    DOCUMENT.write_text(f"{before}<!-- {name} -->\n\n{text}\n\n{after}")


def check(level, both):
    """What must hold for this library on a Cortex-M4; answers with whether it does."""
    good = both.panics == 0 and both.flash <= BUDGET[level]
    verdict = "as promised" if good else f"TOO MUCH: the budget is {BUDGET[level]} bytes and no panic"
    print(f"size: opt-level {level}: {both.flash} bytes of flash, {both.panics} panic symbols: {verdict}", flush=True)
    return good


def main():
    if sys.argv[1:] == ["--check"]:
        target = next(iter(TARGETS))
        results = []
        for level in LEVELS:
            empty = measure(target, level, [])
            results.append(check(level, measure(target, level, ["ours", *WORK["both"]]).less(empty)))
        sys.exit(not all(results))

    names = sys.argv[1:] or list(TARGETS)
    without_digest = tree_without_digest()
    good = True
    for target in names:
        for level in LEVELS:
            lines, ours = table(target, level, without_digest)
            write(f"{target} {level}", lines)
            if target == next(iter(TARGETS)):
                good &= check(level, ours["both"])
    sys.exit(not good)


if __name__ == "__main__":
    main()
