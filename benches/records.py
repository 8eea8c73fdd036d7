#!/usr/bin/env python3
"""A decision log of many records: made by batches, then asked for one decision by id and for one principal's last hour, and
weighed. Every answer is compared with what the batches told.

records.py [RECORDS] [ROUNDS]   (1000000, 50)
Needs target/release/authx. Standard library only.
"""
import os, pathlib, random, statistics, sys, tempfile, time

from relations import Server

PRINCIPALS, BATCH = 1_000, 10_000


def main():
    records, rounds = (int(a) for a in (sys.argv[1:] + ['1000000', '50'][len(sys.argv) - 1:]))
    with tempfile.TemporaryDirectory() as data:
        server = Server(data)
        store = server.must('POST', '/v1/stores', {'name': 'log'})['id']
        policy = {'id': 'own', 'cedar': 'permit (principal, action == Action::"read", resource);'}
        server.must('POST', f'/v1/stores/{store}/apply', {'policies': [policy]})
        ids, begun = [], time.monotonic()
        for at in range(0, records, BATCH):
            checks = [{'principal': f'User:u{n % PRINCIPALS}', 'action': 'read', 'resource': f'Document:d{n}'} for n in range(at, at + BATCH)]
            reply = server.must('POST', f'/v1/stores/{store}/check/batch', {'checks': checks})
            ids += [result['decision_id'] for result in reply['results']]
        seconds = time.monotonic() - begun
        time.sleep(1)
        sizes = [sum(f.stat().st_size for f in pathlib.Path(data, 'decisions').glob(f'*/{pattern}')) for pattern in ('*.ndjson', '*')]
        print(f'{len(ids)} decisions in {seconds:.0f} s; {sizes[0] / len(ids):.0f} bytes a record, {sizes[1] / len(ids):.0f} with its index', flush=True)

        def timed(name, ask):
            times = []
            for _ in range(rounds):
                begun = time.monotonic()
                ask()
                times.append((time.monotonic() - begun) * 1000)
            times.sort()
            print(f'{name}: median {statistics.median(times):.1f} ms, slowest {times[-1]:.1f} ms', flush=True)

        def one():
            n = random.randrange(len(ids))
            found = server.must('GET', f'/v1/decisions/{ids[n]}')
            assert found['resource'] == f'Document::"d{n}"', found

        def hour():
            n = random.randrange(PRINCIPALS)
            since = time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(time.time() - 3600))
            page = server.must('GET', f'/v1/decisions?principal=User:u{n}&from={since}&page_size=1000')
            assert len(page['decisions']) == min(1000, len(ids) // PRINCIPALS), len(page['decisions'])
            assert all(row['principal'] == f'User::"u{n}"' for row in page['decisions'])

        timed('one decision by its id', one)
        timed("one principal's last hour", hour)
        server.stop()


if __name__ == '__main__':
    main()
