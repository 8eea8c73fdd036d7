#!/usr/bin/env python3
"""Neighbours. One tenant's single checks at a steady rate, in open loop, while nobody else asks and while another tenant
sends over ten times what its limit allows; then many tenants that ask nothing, each with a small store: memory and start.

tenants.py [TENANTS] [ROUNDS] [SECONDS]   (1000, 4, 5)
RATE: checks a second of the one (4,000). LIMIT: requests a second of the other (1,000). CPUS: the server's cores (0).
Needs what relations.py needs.
"""
import http.client, json, os, statistics, subprocess, sys, tempfile, time

from policies import Server, load, p99
from relations import BENCH

RATE, LIMIT = (int(os.environ.get(name, default)) for name, default in (('RATE', 4000), ('LIMIT', 1000)))
STORE = {
    'schema': {'cedar': 'entity Group; entity User in [Group] = { level: Long }; entity Document = { owner: User };\n'
                        'action "view" appliesTo { principal: [User], resource: [Document] };'},
    'policies': [
        {'id': 'owners', 'cedar': 'permit (principal, action, resource) when { resource.owner == principal };'},
        {'id': 'staff', 'cedar': 'permit (principal in Group::"staff", action, resource);'},
        {'id': 'low', 'cedar': 'forbid (principal, action, resource) when { principal.level < 1 };'},
    ],
}
PEOPLE = [{'uid': {'type': 'User', 'id': f'u{n}'}, 'attrs': {'level': 3},
           'parents': [{'type': 'Group', 'id': 'staff' if n % 2 else 'guests'}]} for n in range(10)]
DOCUMENTS = [{'uid': {'type': 'Document', 'id': f'd{n}'},
              'attrs': {'owner': {'__entity': {'type': 'User', 'id': f'u{n % 10}'}}}} for n in range(10)]


class Tenant:
    """A tenant of a server with a store, as `load` asks it."""

    def __init__(self, server, platform, connection, name):
        self.port, self.connection = server.port, connection
        self.platform = platform
        made = self.call(platform, 'POST', '/v1/tenants', {'name': name})
        self.id, self.token = made['id'], made['admin_key']['secret']
        self.store = f"/v1/stores/{self.call(self.token, 'POST', '/v1/stores', {'name': 'app'})['id']}"
        self.call(self.token, 'POST', self.store + '/apply', STORE)
        self.call(self.token, 'POST', self.store + '/write', {'entities': {'upsert': PEOPLE + DOCUMENTS}})

    def call(self, token, method, path, body):
        headers = {'Content-Type': 'application/json', 'Authorization': 'Bearer ' + token}
        self.connection.request(method, path, json.dumps(body), headers)
        reply = self.connection.getresponse()
        data = reply.read()
        if reply.status >= 300:
            sys.exit(f'{method} {path}: {reply.status} {data[:400]!r}')
        return json.loads(data) if data else None


def neighbours(server, one, other, bodies, checks, rounds, seconds):
    one.call(one.platform, 'PATCH', f'/v1/tenants/{other.id}', {'limits': {'requests_per_second': LIMIT, 'burst': LIMIT}})
    path, ratios = one.store + '/check', []
    for _ in range(rounds):
        quiet = load(one, path, bodies, RATE, seconds)
        # As fast as it can, on what the steady client leaves of its core.
        command = ['nice', '-n', '19', 'taskset', '-c', '1', 'wrk', '-t1', '-c8', f'-d{seconds + 2}s', '-s', str(BENCH / 'check.lua'),
                   f'http://127.0.0.1:{server.port}']
        environment = dict(os.environ, CHECKS=checks, SHAPE='native', RPATH=other.store + '/check', TOKEN=other.token)
        loud = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        time.sleep(1)
        beside = load(one, path, bodies, RATE, seconds)
        sent = loud.communicate()[0].split('RESULT')[-1].strip()
        ratios.append(p99(beside) / p99(quiet))
        print(f'  alone:   {quiet}\n  beside:  {beside}\n  the other: {sent}\n'
              f'  p99 ratio {ratios[-1]:.2f}', flush=True)
    print(f'p99 of one tenant beside another at ten times its limit: {statistics.median(ratios):.2f} times '
          f'(from {min(ratios):.2f} to {max(ratios):.2f})', flush=True)


def main():
    count, rounds, seconds = (int(a) for a in (sys.argv[1:] + ['1000', '4', '5'][len(sys.argv) - 1:]))
    with tempfile.TemporaryDirectory() as data:
        server = Server(data, os.environ.get('CPUS', '0'))
        platform = json.load(open(os.path.join(data, 'keys.json')))['platform_key']
        connection = http.client.HTTPConnection('127.0.0.1', server.port, timeout=600)
        one, other = (Tenant(server, platform, connection, name) for name in ('one', 'other'))
        bodies = os.path.join(data, 'bodies')
        with open(bodies, 'w') as out:
            for n in range(100):
                asked = {'principal': f'User:u{n % 10}', 'action': 'view', 'resource': f'Document:d{n // 10}'}
                out.write(json.dumps(asked, separators=(',', ':')) + '\n')
        checks = os.path.join(data, 'checks')
        with open(checks, 'w') as out:
            out.writelines(f'user:u{n % 10} viewer document:d{n // 10} true\n' for n in range(100))
        neighbours(server, one, other, bodies, checks, rounds, seconds)
        server.stop()
    with tempfile.TemporaryDirectory() as data:
        server = Server(data, os.environ.get('CPUS', '0'))
        empty, begun = server.memory(), time.monotonic()
        platform = json.load(open(os.path.join(data, 'keys.json')))['platform_key']
        connection = http.client.HTTPConnection('127.0.0.1', server.port, timeout=600)
        for n in range(count):
            Tenant(server, platform, connection, f't{n}')
        print(f'{count} tenants with a store of 3 policies and 20 entities made in {time.monotonic() - begun:.1f} s', flush=True)
        made = server.memory()
        server.stop()
        bare, server = server.ready, Server(data, os.environ.get('CPUS', '0'))
        after = server.memory()
        print(f'empty: {empty:.0f} MiB, ready in {bare:.2f} s; with them: {made:.0f} MiB, after a restart {after:.0f} MiB, '
              f'{(after - empty) * 1024 / count:.0f} KiB a tenant, ready in {server.ready:.2f} s', flush=True)
        server.stop()


if __name__ == '__main__':
    main()
