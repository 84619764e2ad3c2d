# SPDX-License-Identifier: MIT
"""For gdb: lists the greenlets, generators and coroutines of a program that uses liblinuxmt, with their stacks.

    (gdb) source linuxmt-gdb.py
    (gdb) linuxmt stacks

Needs the library's symbols (mt__slabs), not its debug information. Registers are set to walk a stack and set back after
that, so of a core file only the innermost function of each is shown.
"""
import gdb

# As in lib/coro/stack.c and stack.h, and struct mt__place in lib/arch/*/switch.h.
SLAB = 24  # start, end, size
SLABS = 4096
PAGE_SIZES = (4096, 16384, 65536)
DESCRIPTOR, LOW, SIZE, OWNER, PLACE = 48, 8, 16, 24, 40
COLOUR, COLOURS = 128, 12

REGISTERS = {"i386:x86-64": ("rsp", "rip", "rbp"), "aarch64": ("sp", "pc", "x29")}


def memory(address, length):
    return bytes(gdb.selected_inferior().read_memory(address, length))


def word(address):
    return int.from_bytes(memory(address, 8), "little")


def text(address):
    found = b""
    while address and len(found) < 64:
        byte = memory(address + len(found), 1)
        if byte == b"\0":
            break
        found += byte
    return found.decode(errors="replace")


def descriptor(start, size):
    """The stack's descriptor, at one of so many colours; None: not cut yet."""
    for colour in range(COLOURS):
        at = start + size - DESCRIPTOR - colour * COLOUR
        if word(at + SIZE) == size and word(at + LOW) - start in PAGE_SIZES:
            return at
    return None


def stacks():
    """(lowest address, upper end, name, sp, pc, frame pointer) of each that carries something."""
    try:
        slabs = int(gdb.parse_and_eval("(unsigned long)&mt__slabs"))
    except gdb.error as error:
        raise gdb.GdbError(f"linuxmt: the program has no coroutines' stacks, or liblinuxmt has no symbols ({error})")
    for number in range(SLABS):
        start, end, size = (word(slabs + number * SLAB + field) for field in (0, 8, 16))
        if not start:
            return
        for low in range(start, end, size):
            at = descriptor(low, size)
            if at is None:
                break  # a slab is cut from its lower end on
            place = word(at + PLACE)
            if place:
                yield low, low + size, text(word(at + OWNER)) or "unnamed", word(place), word(place + 8), word(place + 16)


def running():
    """The stack pointers of all threads."""
    selected = gdb.selected_thread()
    pointers = {}
    for thread in gdb.selected_inferior().threads():
        thread.switch()
        pointers[int(gdb.newest_frame().read_register(registers()[0]))] = thread.num
    selected.switch()
    return pointers


def registers():
    architecture = gdb.newest_frame().architecture().name()
    if architecture not in REGISTERS:
        raise gdb.GdbError(f"linuxmt: {architecture} is not known here")
    return REGISTERS[architecture]


def walk(values):
    """The backtrace of a stack that was left there. The registers are as before when this returns."""
    gdb.newest_frame().select()
    names = registers()
    before = [int(gdb.parse_and_eval(f"(unsigned long)${name}")) for name in names]
    try:
        for name, value in zip(names, values):
            gdb.execute(f"set ${name} = {value}", to_string=True)
        gdb.execute("backtrace")
    except gdb.error:
        gdb.execute(f"info symbol {values[1]}")
    finally:
        for name, value in zip(names, before):
            try:
                gdb.execute(f"set ${name} = {value}", to_string=True)
            except gdb.error:
                break  # a core file: none has changed


class Linuxmt(gdb.Command):
    """What is known of liblinuxmt."""

    def __init__(self):
        super().__init__("linuxmt", gdb.COMMAND_STATUS, prefix=True)


class Stacks(gdb.Command):
    """List greenlets, generators and coroutines with their stacks."""

    def __init__(self):
        super().__init__("linuxmt stacks", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        pointers = running()
        count = 0
        for low, high, name, *values in stacks():
            count += 1
            threads = [number for pointer, number in pointers.items() if low <= pointer < high]
            if threads:
                print(f"{name}: runs on thread {threads[0]}")
            else:
                print(f"{name}: suspended")
                walk(values)
        print(f"{count} stacks in use")


Linuxmt()
Stacks()
