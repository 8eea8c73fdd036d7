#!/usr/bin/env python3
"""Relations over HTTP: the document world loaded, answered, weighed, and timed beside the limit of the stack (C0).

relations.py [SCALE] [ROUNDS] [SECONDS]   (100, 3, 6)
Needs target/release/authx, the measuring bench (AUTHX_BENCH_DIR, default ../shared/bench) and its c0 in
target/c0/release, wrk and taskset. The server runs on core 0, the load on core 1. Standard library only.
"""
import http.client, json, os, pathlib, re, socket, statistics, subprocess, sys, tempfile, time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BENCH = pathlib.Path(os.environ.get('AUTHX_BENCH_DIR', ROOT.parent / 'shared/bench')).resolve()
BINARY, C0 = str(ROOT / 'target/release/authx'), str(ROOT / 'target/c0/release/c0')
sys.path.insert(0, str(BENCH))
import world


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def memory(pid):
    return int(re.search(r'VmRSS:\s+(\d+)', open(f'/proc/{pid}/status').read()).group(1)) * 1024


class Server:
    def __init__(self, data, cpu=None, *options):
        self.port, begun = free_port(), time.monotonic()
        command = [BINARY, 'serve', '--bind', f'127.0.0.1:{self.port}', '--data-dir', data, '--workers', '1', *options]
        self.process = subprocess.Popen((['taskset', '-c', cpu] if cpu else []) + command, stderr=subprocess.DEVNULL)
        self.connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=600)
        while True:
            try:
                if self.call('GET', '/readyz')[0] == 200:
                    break
            except OSError:
                self.connection.close()
                time.sleep(0.005)
        self.ready = time.monotonic() - begun
        self.token = json.load(open(os.path.join(data, 'keys.json')))['admin_key']

    def call(self, method, path, body=None):
        headers = {'Content-Type': 'application/json', 'Authorization': 'Bearer ' + getattr(self, 'token', 'x')}
        self.connection.request(method, path, None if body is None else json.dumps(body), headers)
        reply = self.connection.getresponse()
        data = reply.read()
        return reply.status, json.loads(data) if data else None

    def must(self, *args):
        status, body = self.call(*args)
        if status >= 300:
            sys.exit(f'{args[:2]}: {status} {str(body)[:400]}')
        return body

    def stop(self):
        self.process.terminate()
        self.process.wait()


def wrk(port, shape, path, checks, token, seconds):
    environment = dict(os.environ, CHECKS=checks, SHAPE=shape, RPATH=path, TOKEN=token)
    command = ['taskset', '-c', '1', 'wrk', '-t1', '-c32', f'-d{seconds}s', '-s', str(BENCH / 'check.lua'), f'http://127.0.0.1:{port}']
    text = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    return re.search(r'RESULT (.*)', text).group(1)


def main():
    scale, rounds, seconds = (int(a) for a in (sys.argv[1:] + ['100', '3', '6'][len(sys.argv) - 1:]))
    sizes = world.sizes(scale)
    with tempfile.TemporaryDirectory() as data:
        server = Server(data)
        empty = memory(server.process.pid)
        store = server.must('POST', '/v1/stores', {'name': 'world'})['id']
        path = f'/v1/stores/{store}'
        server.must('PUT', path + '/model', {'dsl': world.MODEL})
        rows, count, begun = [], 0, time.monotonic()
        for row in world.tuples(sizes):
            rows.append(row)
            if len(rows) == 10000:
                server.must('POST', path + '/write', {'tuples': {'write': rows}})
                count, rows = count + len(rows), []
        if rows:
            server.must('POST', path + '/write', {'tuples': {'write': rows}})
            count += len(rows)
        took = time.monotonic() - begun
        print(f'{count} tuples written durably in bodies of 10,000: {took:.1f} s, {count / took:.0f}/s', flush=True)
        visible = []
        for n in range(300):
            begun = time.monotonic()
            server.must('POST', path + '/write', {'tuples': {'write': [f'document:new{n}#owner@user:u{n}']}})
            asked = server.must('POST', path + '/relations/check', {'subject': f'user:u{n}', 'relation': 'viewer', 'object': f'document:new{n}'})
            assert asked['allowed'] is True
            visible.append((time.monotonic() - begun) * 1000)
        visible.sort()
        print(f'a write and the check that sees it, two requests: median {visible[150]:.1f} ms, p99 {visible[296]:.1f} ms', flush=True)
        server.stop()
        server = Server(data)
        time.sleep(1)
        used = memory(server.process.pid) - empty
        print(f'ready after a restart: {server.ready:.2f} s; {used / count:.1f} bytes a tuple over an empty server', flush=True)
        server.stop()
        server = Server(data, '0')
        begun = time.monotonic()
        listed = server.must('POST', f'/stores/{store}/list-objects', {'type': 'document', 'relation': 'viewer', 'user': 'user:u17'})
        print(f'list of {len(listed["objects"])} objects: {(time.monotonic() - begun) * 1000:.1f} ms over HTTP', flush=True)
        checks = os.path.join(data, 'checks')
        with open(checks, 'w') as out:
            for user, relation, of, want in world.checks(sizes, 4000, 7):
                out.write(f'{user} {relation} {of} {str(want).lower()}\n')
        c0_port = free_port()
        c0 = subprocess.Popen(['taskset', '-c', '0', C0, f'127.0.0.1:{c0_port}', '1'])
        time.sleep(0.5)
        for shape, route in (('relations', f'{path}/relations/check'), ('openfga', f'/stores/{store}/check')):
            answers = [sys.executable, str(BENCH / 'answers.py'), f'http://127.0.0.1:{server.port}', route, checks, shape, server.token]
            print(shape, subprocess.run(answers, capture_output=True, text=True).stdout.strip(), flush=True)
            wrk(server.port, shape, route, checks, server.token, 2)
            ratios = []
            for round in range(rounds):
                # C0 has one route that parses and answers as OpenFGA's check does.
                limit = wrk(c0_port, 'openfga', f'/stores/{store}/check', checks, 'x', seconds)
                ours = wrk(server.port, shape, route, checks, server.token, seconds)
                ratios.append(float(ours.split()[0]) / float(limit.split()[0]))
                print(f'  c0    {limit}\n  authx {ours}', flush=True)
            print(f'{shape}: {statistics.median(ratios):.2f} of C0 (from {min(ratios):.2f} to {max(ratios):.2f})', flush=True)
        c0.terminate()
        server.stop()


if __name__ == '__main__':
    main()
