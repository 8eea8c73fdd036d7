#!/usr/bin/env python3
"""A store's data imported and exported by the command line: rows a second, the server's memory beside that of the data, an
import that was killed half-way and gone on with, and whether all exports are the same bytes.

transfer.py [ROWS]   (1000000: as many entities, and as many tuples)
Needs target/release/authx. Standard library only.
"""
import hashlib, json, os, pathlib, signal, subprocess, sys, tempfile, threading, time

from relations import BINARY, Server, memory

MODEL = 'model\n  schema 1.1\ntype user\ntype doc\n  relations\n    define viewer: [user]\n'


def authx(server, *arguments):
    environment = dict(os.environ, AUTHX_KEY=server.token, AUTHX_SERVER=f'http://127.0.0.1:{server.port}')
    return subprocess.run([BINARY, *arguments], env=environment, capture_output=True, text=True)


def store(server, name):
    server.must('POST', '/v1/stores', {'name': name, 'alias': name})
    server.must('POST', f'/v1/stores/{name}/apply', {'model': MODEL})
    return name


def digest(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def watched(server, source, rows, name):
    """Imports a file, and tells the server's memory meanwhile."""
    peak, running = [memory(server.process.pid)], threading.Event()

    def watch():
        while not running.is_set():
            peak.append(memory(server.process.pid))
            time.sleep(0.2)

    thread = threading.Thread(target=watch)
    thread.start()
    begun = time.monotonic()
    told = authx(server, 'import', '--all', source, '--store', 'first')
    seconds = time.monotonic() - begun
    running.set()
    thread.join()
    if told.returncode:
        sys.exit(told.stderr)
    quarters = [max(peak[at * len(peak) // 4:(at + 1) * len(peak) // 4]) / 1e6 for at in range(4)]
    print(f'{name}: {told.stdout.strip()}: {2 * rows / seconds:.0f} rows/s', flush=True)
    print('server memory, peak of each quarter: ' + ', '.join(f'{q:.0f} MB' for q in quarters), flush=True)
    return seconds


def main():
    rows = int((sys.argv[1:] + ['1000000'])[0])
    with tempfile.TemporaryDirectory() as base:
        data, source = os.path.join(base, 'data'), os.path.join(base, 'source.ndjson')
        os.mkdir(data)
        with open(source, 'w') as out:
            for n in range(rows):
                entity = {'uid': {'type': 'User', 'id': f'u{n:07}'}, 'attrs': {'level': n % 9, 'name': f'User number {n}'}, 'parents': [{'type': 'Group', 'id': f'g{n % 999}'}]}
                out.write(json.dumps({'entity': entity}, separators=(',', ':')) + '\n')
            for n in range(rows):
                out.write(f'{{"tuple":"doc:d{n % 50_000}#viewer@user:u{n:07}"}}\n')
        server = Server(data)
        store(server, 'first')
        seconds = watched(server, source, rows, 'import')
        # What is there already is put once more: all that memory may take now is the import's own.
        watched(server, source, rows, 'the same import again')
        server.stop()
        server = Server(data)
        print(f'after a restart with that data: {memory(server.process.pid) / 1e6:.0f} MB, ready in {server.ready:.1f} s', flush=True)

        def export(name):
            path, begun, before = os.path.join(base, name), time.monotonic(), memory(server.process.pid)
            told = authx(server, 'export', path, '--store', name)
            if told.returncode:
                sys.exit(told.stderr)
            after = memory(server.process.pid)
            print(f'export of {name}: {2 * rows / (time.monotonic() - begun):.0f} rows/s, {(after - before) / 1e6:+.0f} MB', flush=True)
            return path

        first = export('first')
        store(server, 'second')
        killed = threading.Timer(seconds / 2, lambda: server.process.send_signal(signal.SIGKILL))
        killed.start()
        told = authx(server, 'import', '--all', first, '--store', 'second', '--id', 'again')
        print(f'killed half-way: exit {told.returncode}, {told.stderr.strip().splitlines()[-1]}', flush=True)
        server.process.wait()
        server = Server(data)
        told = authx(server, 'import', '--all', first, '--store', 'second', '--id', 'again')
        if told.returncode:
            sys.exit(told.stderr)
        print(f'gone on with: {told.stdout.strip()}', flush=True)
        second = export('second')
        print('equal bytes' if digest(first) == digest(second) else 'DIFFERENT', flush=True)
        server.stop()


if __name__ == '__main__':
    main()
