#!/usr/bin/env python3
"""Recorded decisions made again on changed policies: how long that takes, on the data of each decision's own time and on
today's, and that what flips is what this program finds by itself.

replay.py [DECISIONS] [REVISIONS]   (100000, 10)
Needs target/release/authx. Standard library only.
"""
import random, sys, tempfile, time

from policies import Server

USERS, DOCUMENTS, CHANGED = 1000, 500, 100
SCHEMA = '''
entity User = { level: Long };
entity Document = { classification: Long, frozen: Bool };
action "read", "edit" appliesTo { principal: User, resource: Document };
'''
BEFORE = '''
@id("cleared") permit (principal, action, resource) when { principal.level >= resource.classification };
@id("frozen") forbid (principal, action == Action::"edit", resource) when { resource.frozen };
'''
AFTER = '''
@id("cleared") permit (principal, action == Action::"read", resource) when { principal.level >= resource.classification };
@id("above") permit (principal, action == Action::"edit", resource) when { principal.level > resource.classification };
'''


def before(level, action, document):
    return level >= document['classification'] and not (action == 'edit' and document['frozen'])


def after(level, action, document):
    return level > document['classification'] if action == 'edit' else level >= document['classification']


def flips(asked, levels, documents):
    """How many were denied and would be allowed, and the other way round."""
    found = {'to_allow': 0, 'to_deny': 0}
    for user, action, document, level in asked:
        was = before(level, action, documents[document])
        will = after(level if levels is None else levels[user], action, documents[document])
        if was != will:
            found['to_allow' if will else 'to_deny'] += 1
    return found


def main(decisions, revisions):
    roll = random.Random(7)
    levels = [roll.randrange(8) for _ in range(USERS)]
    documents = [{'classification': roll.randrange(8), 'frozen': roll.randrange(4) == 0} for _ in range(DOCUMENTS)]
    sources = lambda text: {'schema': {'cedar': SCHEMA}, 'policies': [{'file': 'a.cedar', 'cedar': text}]}
    user = lambda at: {'uid': f'User:u{at}', 'attrs': {'level': levels[at]}}
    with tempfile.TemporaryDirectory() as data:
        server = Server(data, None)
        path = '/v1/stores/' + server.must('POST', '/v1/stores', {'name': 'replayed'})['id']
        server.must('POST', path + '/apply', sources(BEFORE))
        entities = [user(at) for at in range(USERS)] + [{'uid': f'Document:d{at}', 'attrs': of} for at, of in enumerate(documents)]
        server.must('POST', path + '/write', {'entities': {'upsert': entities}})
        asked, begun = [], time.monotonic()
        for _ in range(revisions):
            left = decisions // revisions
            while left:
                size = min(left, 5000)
                some = [(roll.randrange(USERS), roll.choice(['read', 'edit']), roll.randrange(DOCUMENTS)) for _ in range(size)]
                checks = [{'principal': f'User:u{u}', 'action': a, 'resource': f'Document:d{d}'} for u, a, d in some]
                told = server.must('POST', path + '/check/batch', {'checks': checks})['results']
                for (u, a, d), one in zip(some, told, strict=True):
                    if (one['decision'] == 'allow') != before(levels[u], a, documents[d]):
                        sys.exit('an answer is wrong')
                    asked.append((u, a, d, levels[u]))
                left -= size
            changed = roll.sample(range(USERS), CHANGED)
            for at in changed:
                levels[at] = roll.randrange(8)
            server.must('POST', path + '/write', {'entities': {'upsert': [user(at) for at in changed]}})
        print(f'{len(asked)} decisions over {revisions} revisions recorded in {time.monotonic() - begun:.1f} s', flush=True)
        for on, wanted in (('then', flips(asked, None, documents)), ('now', flips(asked, levels, documents))):
            begun = time.monotonic()
            report = server.must('POST', path + '/replay', {'sources': sources(AFTER), 'data': on, 'limit': len(asked)})
            took = time.monotonic() - begun
            if report['replayed'] != len(asked) or report['flips'] != wanted:
                sys.exit(f'{on}: {report["flips"]}, and by itself {wanted}')
            print(f'on the data of {on}: {took:.2f} s, {len(asked) / took:.0f} decisions a second; flips as found by itself: {wanted}', flush=True)
        server.process.terminate()
        server.process.wait()


if __name__ == '__main__':
    main(*(int(value) for value in sys.argv[1:] + ['100000', '10'][len(sys.argv) - 1:]))
