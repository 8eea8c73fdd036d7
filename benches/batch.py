#!/usr/bin/env python3
"""Checks in batches. First batches of 50 from 32 connections, in checks a second, beside single checks of the limit of the
stack (C0), the server on core 0 and the load on core 1. Then the latency of single checks at half of their peak rate
without and with a client that sends batches of 10,000 in a loop, the server on the cores CPUS. All answers are checked first.

batch.py [ROUNDS] [SECONDS] [SCALE]   (3, 6, 1)
Needs what relations.py needs.
"""
import http.client, json, os, pathlib, re, statistics, subprocess, sys, tempfile, threading, time

from policies import load, p99
from relations import BENCH, C0, Server, free_port, world, wrk

HERE = pathlib.Path(__file__).resolve().parent


def check(line):
    user, _, of, _ = line.split()
    return {'principal': user.replace('user:', 'User:'), 'action': 'view', 'resource': of.replace('document:', 'Document:')}


def compact(body):
    return json.dumps(body, separators=(',', ':'))


def batches(lines, size):
    lines = lines * (1 + (size - 1) // len(lines))
    return [compact({'checks': [check(line) for line in lines[at:at + size]]}) for at in range(0, len(lines) - size + 1, size)]


def answers(server, path, lines):
    """Every decision that a batch gives is the one that the world expects."""
    wrong = 0
    for at in range(0, len(lines), 50):
        reply = server.must('POST', path, {'checks': [check(line) for line in lines[at:at + 50]]})
        for line, result in zip(lines[at:at + 50], reply['results'], strict=True):
            wrong += (result['decision'] == 'allow') != (line.split()[3] == 'true')
    if wrong:
        sys.exit(f'{wrong} answers are wrong')
    print(f'{len(lines)} answers as expected', flush=True)


def rate(server, path, bodies, seconds):
    environment = dict(os.environ, BODIES=bodies, RPATH=path, TOKEN=server.token, ITEMS='50')
    command = ['taskset', '-c', '1', 'wrk', '-t1', '-c32', f'-d{seconds}s', '-s', str(HERE / 'batch.lua'), f'http://127.0.0.1:{server.port}']
    return re.search(r'RESULT (.*)', subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout).group(1)


def throughput(server, path, checks, bodies, rounds, seconds):
    port = free_port()
    c0 = subprocess.Popen(['taskset', '-c', '0', C0, f'127.0.0.1:{port}', '1'])
    time.sleep(0.5)
    rate(server, path + '/batch', bodies, 1)
    ratios = []
    for _ in range(rounds):
        limit = wrk(port, 'native', path, checks, 'x', seconds)
        single = wrk(server.port, 'native', path, checks, server.token, seconds)
        ours = rate(server, path + '/batch', bodies, seconds)
        ratios.append(float(ours.split()[0]) / float(limit.split()[0]))
        print(f'  c0     {limit}\n  single {single}\n  batch  {ours}', flush=True)
    c0.terminate()
    print(f'batches of 50: {statistics.median(ratios):.2f} of C0 (from {min(ratios):.2f} to {max(ratios):.2f})', flush=True)


def latency(server, path, bodies, large, rounds, seconds):
    peak = load(server, path, bodies, 200000, 3)
    print(f'peak of single checks: {peak}', flush=True)
    ratios = []
    for _ in range(rounds):
        quiet = load(server, path, bodies, float(peak.split()[0]) / 2, seconds)
        stop, times = threading.Event(), []

        def send():
            # The client of the batches must not take the server's core, nor the load's when that wants it.
            os.sched_setaffinity(0, {1})
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
            connection = http.client.HTTPConnection('127.0.0.1', server.port, timeout=60)
            headers = {'Content-Type': 'application/json', 'Authorization': 'Bearer ' + server.token}
            while not stop.is_set():
                begun = time.monotonic()
                connection.request('POST', path + '/batch', large, headers)
                reply = connection.getresponse()
                reply.read()
                if reply.status != 200:
                    sys.exit(f'batch: {reply.status}')
                times.append(time.monotonic() - begun)

        sender = threading.Thread(target=send)
        sender.start()
        busy = load(server, path, bodies, float(peak.split()[0]) / 2, seconds)
        stop.set()
        sender.join()
        ratios.append(p99(busy) / p99(quiet))
        print(f'  without batches: {quiet}\n  with batches:    {busy}\n  {len(times)} batches of 10,000, each in {statistics.median(times) * 1000:.0f} ms; '
              f'p99 ratio {ratios[-1]:.2f}', flush=True)
    print(f'p99 of single checks beside batches of 10,000: {statistics.median(ratios):.2f} times (from {min(ratios):.2f} to {max(ratios):.2f})', flush=True)


def main():
    rounds, seconds, scale = (int(a) for a in (sys.argv[1:] + ['3', '6', '1'][len(sys.argv) - 1:]))
    with tempfile.TemporaryDirectory() as data:
        names = {name: os.path.join(data, name) for name in ('checks', 'singles', 'fifties')}
        lines = [f'{user} {relation} {of} {str(want).lower()}' for user, relation, of, want in world.checks(world.sizes(scale), 4000, 7)]
        for name, rows in (('checks', lines), ('singles', [compact(check(line)) for line in lines]), ('fifties', batches(lines, 50))):
            pathlib.Path(names[name]).write_text('\n'.join(rows) + '\n')
        server = Server(data, '0')
        filled = [sys.executable, str(HERE / 'store.py'), f'http://127.0.0.1:{server.port}', server.token, str(BENCH), str(scale)]
        path = f'/v1/stores/{subprocess.run(filled, capture_output=True, text=True, check=True).stdout.strip()}/check'
        answers(server, path + '/batch', lines)
        throughput(server, path, names['checks'], names['fifties'], rounds, seconds)
        server.stop()
        server = Server(data, os.environ.get('CPUS', '0'))
        latency(server, path, names['singles'], batches(lines, 10_000)[0].encode(), rounds, seconds)
        server.stop()


if __name__ == '__main__':
    main()
