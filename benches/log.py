#!/usr/bin/env python3
"""What recording decisions costs: single checks with the decision log off, async and sync, beside the limit of the stack
(C0). Three servers on core 0, of which one is asked at a time, the load on core 1; the rounds take turns. All answers are
checked first; in the end every log is verified.

log.py [ROUNDS] [SECONDS] [SCALE]   (5, 4, 1)
Needs what relations.py needs.
"""
import os, pathlib, statistics, subprocess, sys, tempfile, time

from relations import BENCH, BINARY, C0, Server, free_port, world, wrk

HERE = pathlib.Path(__file__).resolve().parent
MODES = ('off', 'async', 'sync')


def serve(base, mode, scale):
    data = os.path.join(base, mode)
    os.mkdir(data)
    config = os.path.join(base, mode + '.toml')
    pathlib.Path(config).write_text(f'[decisions]\nmode = "{mode}"\n')
    server = Server(data, '0', '--config', config)
    filled = [sys.executable, str(HERE / 'store.py'), f'http://127.0.0.1:{server.port}', server.token, str(BENCH), str(scale)]
    server.path = f'/v1/stores/{subprocess.run(filled, capture_output=True, text=True, check=True).stdout.strip()}/check'
    return server


def main():
    rounds, seconds, scale = (int(a) for a in (sys.argv[1:] + ['5', '4', '1'][len(sys.argv) - 1:]))
    with tempfile.TemporaryDirectory() as base:
        checks = os.path.join(base, 'checks')
        with open(checks, 'w') as out:
            for user, relation, of, want in world.checks(world.sizes(scale), 4000, 7):
                out.write(f'{user} {relation} {of} {str(want).lower()}\n')
        servers = {mode: serve(base, mode, scale) for mode in MODES}
        for mode, server in servers.items():
            asked = [sys.executable, str(BENCH / 'answers.py'), f'http://127.0.0.1:{server.port}', server.path, checks, 'native', server.token]
            print(f'{mode}:', subprocess.run(asked, capture_output=True, text=True).stdout.strip(), flush=True)
        port = free_port()
        c0 = subprocess.Popen(['taskset', '-c', '0', C0, f'127.0.0.1:{port}', '1'])
        time.sleep(0.5)
        rates = {mode: [] for mode in ('c0', *MODES)}
        for _ in range(rounds):
            for mode in rates:
                at, path, token = (port, servers['off'].path, 'x') if mode == 'c0' else (servers[mode].port, servers[mode].path, servers[mode].token)
                result = wrk(at, 'native', path, checks, token, seconds)
                rates[mode].append(float(result.split()[0]))
                print(f'  {mode:5} {result}', flush=True)
        c0.terminate()

        def ratio(one, other):
            ratios = [a / b for a, b in zip(rates[one], rates[other])]
            print(f'{one} to {other}: {statistics.median(ratios):.2f} (from {min(ratios):.2f} to {max(ratios):.2f})', flush=True)

        for mode in MODES:
            ratio(mode, 'c0')
        ratio('async', 'off')
        ratio('sync', 'off')
        for mode, server in servers.items():
            server.stop()
            if mode != 'off':
                verified = subprocess.run([BINARY, 'audit', 'verify', '--data-dir', os.path.join(base, mode)], capture_output=True, text=True)
                print(f'{mode}: exit {verified.returncode}, {verified.stderr.strip()}', flush=True)


if __name__ == '__main__':
    main()
