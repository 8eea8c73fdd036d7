#!/usr/bin/env python3
"""A store of many policies: apply it, change one policy at a time while checks run, load it again, and weigh it.

policies.py [POLICIES] [ENTITIES]   (100000 and 1000000; ENTITIES 0 leaves that part out)
The server runs on the cores CPUS (default 0), the load on core 1; 100 applies come every
GAP seconds (default 0.1). Needs target/release/authx and taskset. Prints one line a figure. Standard library only.
"""
import http.client, json, os, pathlib, re, socket, subprocess, sys, tempfile, threading, time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = str(ROOT / 'target/release/authx')
SCHEMA = """
entity Group;
entity User in [Group] = { level: Long };
entity Folder;
entity Document in [Folder] = { owner: User, classification: Long, title: String };
action "any";
action "read", "write" in ["any"] appliesTo { principal: [User], resource: [Document], context: { mfa?: Bool } };
"""


def policy(n):
    kinds = ['permit (principal == User::"u{n}", action == Action::"read", resource == Document::"d{n}");',
             'permit (principal in Group::"g{n}", action in Action::"any", resource in Folder::"f{n}");',
             'permit (principal is User in Group::"g{n}", action in Action::"any", resource is Document);',
             'forbid (principal in Group::"g{n}", action == Action::"read", resource) when {{ resource.classification > 3 }};',
             'permit (principal is User, action in [Action::"read", Action::"write"], resource in Folder::"f{n}");']
    return kinds[n % 5].format(n=n)


class Server:
    def __init__(self, data, cpu):
        with socket.socket() as probe:
            probe.bind(('127.0.0.1', 0))
            self.port = probe.getsockname()[1]
        self.data = data
        begun = time.monotonic()
        command = [BINARY, 'serve', '--bind', f'127.0.0.1:{self.port}', '--data-dir', data, '--workers', '1']
        self.process = subprocess.Popen((['taskset', '-c', cpu] if cpu else []) + command, stderr=subprocess.DEVNULL)
        while True:
            try:
                if self.call('GET', '/readyz')[0] == 200:
                    break
            except OSError:
                time.sleep(0.01)
        self.ready = time.monotonic() - begun
        self.token = json.load(open(os.path.join(data, 'keys.json')))['admin_key']

    def call(self, method, path, body=None, connection=None):
        own = connection or http.client.HTTPConnection('127.0.0.1', self.port, timeout=600)
        headers = {'Content-Type': 'application/json', 'Authorization': 'Bearer ' + getattr(self, 'token', 'x')}
        own.request(method, path, None if body is None else json.dumps(body), headers)
        reply = own.getresponse()
        data = reply.read()
        return reply.status, json.loads(data) if data else None

    def must(self, *args):
        status, body = self.call(*args)
        if status >= 300:
            sys.exit(f'{args[:2]}: {status} {str(body)[:400]}')
        return body

    def memory(self):
        status = open(f'/proc/{self.process.pid}/status').read()
        return int(re.search(r'VmRSS:\s+(\d+)', status).group(1)) / 1024

    def stop(self):
        self.process.terminate()
        self.process.wait()


def percentile(values, part):
    values = sorted(values)
    return values[int((len(values) - 1) * part)]


def load(server, path, bodies, rate, seconds):
    command = ['taskset', '-c', '1', BINARY, 'bench', 'load', '--address', f'127.0.0.1:{server.port}', '--path', path,
               '--bodies', bodies, '--key', server.token, '--rate', str(rate), '--seconds', str(seconds)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def p99(line):
    return float(re.search(r'p99 ([\d.]+) ms', line).group(1))


def policies(count):
    with tempfile.TemporaryDirectory() as data:
        server = Server(data, os.environ.get('CPUS', '0'))
        empty = server.memory()
        store = server.must('POST', '/v1/stores', {'name': 'many'})['id']
        path = f'/v1/stores/{store}'
        body = {'schema': {'cedar': SCHEMA}, 'policies': [{'id': f'p{n}', 'cedar': policy(n)} for n in range(count)]}
        begun = time.monotonic()
        server.must('POST', path + '/apply', body)
        print(f'apply of {count} policies: {time.monotonic() - begun:.2f} s', flush=True)
        people = [{'uid': {'type': 'User', 'id': f'u{n}'}, 'attrs': {'level': 1}, 'parents': [{'type': 'Group', 'id': f'g{n}'}]} for n in range(1000)]
        server.must('POST', path + '/write', {'entities': {'upsert': people}})
        begun = time.monotonic()
        again = server.must('POST', path + '/apply', body)
        print(f'the same apply again: {time.monotonic() - begun:.2f} s, changed: {again["changed"]}', flush=True)
        bodies = os.path.join(data, 'bodies')
        with open(bodies, 'w') as out:
            for n in range(1000):
                out.write(json.dumps({'principal': f'User:u{n}', 'action': 'read', 'resource': f'Document:d{n}'}) + '\n')
        peak = load(server, path + '/check', bodies, 200000, 3)
        rate = float(peak.split()[0]) / 2
        print(f'peak: {peak}', flush=True)
        gap = float(os.environ.get('GAP', '0.1'))
        for round in range(3):
            quiet = load(server, path + '/check', bodies, rate, 100 * gap + 1)
            times = []

            def change():
                # The client of the applies must not take the server's core, nor the load's when that wants it.
                os.sched_setaffinity(0, {1})
                os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
                connection = http.client.HTTPConnection('127.0.0.1', server.port, timeout=60)
                for n in range(100):
                    text = f'permit (principal == User::"w{round}-{n}", action == Action::"write", resource == Document::"d{n}");'
                    begun = time.monotonic()
                    status, reply = server.call('PUT', f'{path}/policies/p{n * 997 % count}', {'cedar': text}, connection)
                    times.append(time.monotonic() - begun)
                    if status != 200:
                        sys.exit(f'put: {status} {reply}')
                    time.sleep(max(0, gap - times[-1]))

            changer = threading.Thread(target=change)
            changer.start()
            busy = load(server, path + '/check', bodies, rate, 100 * gap + 1)
            changer.join()
            millis = [t * 1000 for t in times]
            print(f'round {round}: one policy applied: median {percentile(millis, .5):.1f} ms, p99 {percentile(millis, .99):.1f} ms, max {max(millis):.1f} ms')
            print(f'  without applies: {quiet}\n  with applies:    {busy}\n  p99 ratio {p99(busy) / p99(quiet):.2f}', flush=True)
        print(f'memory: {server.memory() - empty:.0f} MiB over an empty server', flush=True)
        server.stop()
        server = Server(data, None)
        print(f'ready after a restart: {server.ready:.2f} s; memory {server.memory() - empty:.0f} MiB over an empty server', flush=True)
        server.stop()


def entities(count):
    with tempfile.TemporaryDirectory() as data:
        server = Server(data, None)
        empty = server.memory()
        store = server.must('POST', '/v1/stores', {'name': 'large'})['id']
        path = f'/v1/stores/{store}'
        server.must('POST', path + '/apply', {'schema': {'cedar': SCHEMA}, 'policies': []})
        begun = time.monotonic()
        for start in range(0, count, 10000):
            rows = [{'uid': {'type': 'Document', 'id': f'document-{n}'},
                     'attrs': {'owner': {'type': 'User', 'id': f'user-{n % 5000}'}, 'classification': n % 5, 'title': f'Title {n}'},
                     'parents': [{'type': 'Folder', 'id': f'folder-{n % 1000}'}]} for n in range(start, min(start + 10000, count))]
            server.must('POST', path + '/write', {'entities': {'upsert': rows}})
        took = time.monotonic() - begun
        print(f'{count} entities with three attributes written: {took:.0f} s, {count / took:.0f}/s; memory {server.memory() - empty:.0f} MiB over an empty server', flush=True)
        server.stop()
        server = Server(data, None)
        grown = server.memory() - empty
        print(f'ready after a restart: {server.ready:.2f} s; memory {grown:.0f} MiB over an empty server, {grown * 1024 * 1024 / count:.0f} bytes an entity')
        server.stop()


if __name__ == '__main__':
    policies(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
    many = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    if many:
        entities(many)
