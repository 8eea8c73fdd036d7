#!/usr/bin/env python3
"""Neighbours. One tenant's single checks at a steady rate, in open loop, while nobody else asks and while another tenant
sends ten times what its limit allows; then many tenants that ask nothing, each with a small store: memory and start.

tenants.py [TENANTS] [ROUNDS] [SECONDS]   (1000, 4, 5)
RATE: checks a second of the one (4,000). LIMIT: requests a second of the other (200). CPUS: the server's cores (0).
Needs what policies.py needs.
"""
import http.client, json, multiprocessing, os, socket, statistics, sys, tempfile, time

from policies import Server, load, p99

RATE, LIMIT = (int(os.environ.get(name, default)) for name, default in (('RATE', 4000), ('LIMIT', 200)))
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


def flood(tenant, sent, seconds):
    """Ten times the limit, evenly; a refusal closes the connection."""
    os.nice(19)
    os.sched_setaffinity(0, {1})
    body = b'{"principal":"User:u1","action":"view","resource":"Document:d1"}'
    head = (f'POST {tenant.store}/check HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n'
            f'Authorization: Bearer {tenant.token}\r\nContent-Length: {len(body)}\r\n\r\n').encode()
    connection, begun, number = None, time.monotonic(), 0
    while number < 10 * LIMIT * seconds:
        ahead = begun + number / (10 * LIMIT) - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
        connection = connection or socket.create_connection(('127.0.0.1', tenant.port))
        connection.sendall(head + body)
        refused = b' 200 ' not in connection.recv(65536)[:16]
        sent[refused] += 1
        number += 1
        if refused:
            connection.close()
            connection = None


def neighbours(one, other, bodies, rounds, seconds):
    one.call(one.platform, 'PATCH', f'/v1/tenants/{other.id}', {'limits': {'requests_per_second': LIMIT, 'burst': LIMIT}})
    path, ratios = one.store + '/check', []
    for _ in range(rounds):
        quiet = load(one, path, bodies, RATE, seconds)
        sent = multiprocessing.Array('q', 2)
        loud = multiprocessing.Process(target=flood, args=(other, sent, seconds + 2))
        loud.start()
        time.sleep(1)
        beside = load(one, path, bodies, RATE, seconds)
        loud.join()
        ratios.append(p99(beside) / p99(quiet))
        print(f'  alone:   {quiet}\n  beside:  {beside}\n  the other: {sum(sent) / (seconds + 2):.0f} requests/s, {sent[1]} of {sum(sent)} refused\n'
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
        neighbours(one, other, bodies, rounds, seconds)
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
