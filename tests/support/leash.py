#!/usr/bin/env python3
"""Runs a server for as long as somebody holds this process's standard input open.

  leash.py [--remove DIR] [--forward PORT]... COMMAND...

The command runs in a session of its own. When standard input closes (its holder ended, however it ended) or the
command ends by itself, the whole session is killed and DIR removed: a test stopped by SIGKILL leaves nothing behind.
Lines on standard input: "kill", "start" (again), "freeze", "thaw"; each is answered by "done".

With --forward the command runs in a network namespace of its own, so a server with fixed ports may run many times
over; each PORT in there is reachable at a free port of the loopback outside, printed first as "PORT=FREE". Works as
root, or as any user where user namespaces are allowed.
"""
import asyncio, ctypes, fcntl, os, shutil, signal, socket, struct, subprocess, sys

CLONE_NEWUSER, CLONE_NEWNET, PR_SET_PDEATHSIG, SIOCSIFFLAGS = 0x10000000, 0x40000000, 1, 0x8914
libc = ctypes.CDLL(None, use_errno=True)


def enter_private_network():
    """Sockets that are already open stay in the old network; that is what the forwarding rests on."""
    uid, gid = os.getuid(), os.getgid()
    if libc.unshare(CLONE_NEWNET) != 0:
        if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
            sys.exit("leash: no network namespace: run as root, or allow user namespaces")
        for name, text in ("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1"):
            with open(f"/proc/self/{name}", "w") as f:
                f.write(text)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:     # its loopback is down at first
        fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sh14s", b"lo", 0x1 | 0x40, b""))


async def copy(reader, writer):
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.transport.abort()


def forwarder(port):
    async def forward(reader, writer):
        try:
            there = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.transport.abort()    # refused inside: reset outside
            return
        await asyncio.gather(copy(reader, there[1]), copy(there[0], writer))
        writer.close()
        there[1].close()
    return forward


class Leash:
    def __init__(self, command):
        self.command, self.server = command, None

    def start(self):
        self.server = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, start_new_session=True,
                                       preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))

    def signal(self, number):
        if self.server:
            try:
                os.killpg(self.server.pid, number)
            except ProcessLookupError:
                pass

    def kill(self):
        """Not even a clean shutdown: the files are thrown away, or a test wants the crash."""
        self.signal(signal.SIGKILL)
        server, self.server = self.server, None
        if server:
            server.wait()

    async def obey(self):
        """Until standard input ends."""
        lines = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        words = {b"kill": self.kill, b"start": self.start, b"freeze": lambda: self.signal(signal.SIGSTOP),
                 b"thaw": lambda: self.signal(signal.SIGCONT)}
        while line := await lines.readline():
            words[line.strip()]()
            print("done", flush=True)

    async def watch(self):
        """Until the server ends by itself."""
        while not (self.server and self.server.poll() is not None):
            await asyncio.sleep(0.05)
        print("ended", flush=True)


async def main(ports, command):
    listeners = {port: socket.create_server(("127.0.0.1", 0)) for port in ports}
    for port, listener in listeners.items():
        print(f"{port}={listener.getsockname()[1]}", flush=True)
    if ports:
        enter_private_network()
    forwarding = [await asyncio.start_server(forwarder(p), sock=s) for p, s in listeners.items()]
    leash = Leash(command)
    leash.start()
    work = [asyncio.ensure_future(leash.obey()), asyncio.ensure_future(leash.watch())]
    for s in signal.SIGTERM, signal.SIGINT, signal.SIGHUP:
        asyncio.get_running_loop().add_signal_handler(s, work[0].cancel)
    await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
    leash.kill()
    del forwarding


if __name__ == "__main__":
    args, ports, remove = sys.argv[1:], [], None
    while args and args[0].startswith("--"):
        if args[0] == "--forward": ports.append(int(args[1]))
        elif args[0] == "--remove": remove = args[1]
        else: sys.exit(__doc__)
        args = args[2:]
    if not args:
        sys.exit(__doc__)
    try:
        asyncio.run(main(ports, args))
    finally:
        if remove:
            shutil.rmtree(remove, ignore_errors=True)
        os._exit(0)
