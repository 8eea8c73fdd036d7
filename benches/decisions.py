#!/usr/bin/env python3
"""Decisions that read relations, over HTTP: the document world, ten policies of which three read relations, then 10,000
more that are scoped to 10,000 roles held through tuples, of which every user has one, then two. Each meets a policy for
each of his roles, which is evaluated: it reads the user, as one of the ten does, and at last the document, which none of
the ten reads for what is asked. Answered, then timed in turns with the ten alone and the limit of the stack (C0).

decisions.py [SCALE] [ROUNDS] [SECONDS]   (100, 3, 6)
Needs what relations.py needs.
"""
import os, shutil, statistics, subprocess, sys, tempfile, time

from relations import BENCH, C0, Server, free_port, world, wrk

SCHEMA = """
@rebac("role") @members("assignee") entity Role;
@rebac("group") @members("member") entity Group;
@rebac("folder") @parents("parent") entity Folder;
@rebac("user") entity User = { level?: Long };
@rebac("document") @parents("parent") entity Document = { archived: Bool };
action "any";
action "view", "edit" in ["any"] appliesTo { principal: [User], resource: [Document], context: { mfa?: Bool } };
"""

POLICIES = [
    '@id("viewers-read") permit (principal, action == Action::"view", resource) when { principal in resource.rel.viewer };',
    '@id("editors") permit (principal, action == Action::"edit", resource) when { principal in resource.rel.editor };',
    '@id("owners") permit (principal, action in Action::"any", resource) when { principal in resource.rel.owner };',
    '@id("archived") forbid (principal, action == Action::"edit", resource) when { resource.archived };',
    '@id("root") permit (principal in Role::"root", action, resource);',
    '@id("press") permit (principal in Group::"press", action == Action::"view", resource);',
    '@id("lobby") permit (principal, action == Action::"view", resource in Folder::"lobby");',
    '@id("mallory") forbid (principal == User::"mallory", action, resource);',
    '@id("low-level") forbid (principal, action, resource) when { principal has level && principal.level < 1 };',
    '@id("mfa") forbid (principal, action == Action::"edit", resource) unless { context has mfa && context.mfa };',
]

MODEL = world.MODEL.replace('type group', 'type role\n  relations\n    define assignee: [user, group#member]\ntype group')
ROLES = 10_000


OF_USER, OF_DOCUMENT = 'principal has level && principal.level > 9', 'resource.archived'


def of_role(n, condition):
    """A policy that every holder of the role meets and that allows none of what is asked."""
    return {'cedar': f'@id("role-{n}") permit (principal in Role::"r{n}", action == Action::"view", resource) when {{ {condition} }};'}


def write(server, path, part, key, rows, size=10_000):
    rows, begun = list(rows), time.monotonic()
    for at in range(0, len(rows), size):
        server.must('POST', path + '/write', {part: {key: rows[at:at + size]}})
    print(f'{len(rows)} {part} written in {time.monotonic() - begun:.1f} s', flush=True)


def main():
    scale, rounds, seconds = (int(a) for a in (sys.argv[1:] + ['100', '3', '6'][len(sys.argv) - 1:]))
    sizes = world.sizes(scale)
    with tempfile.TemporaryDirectory() as data:
        few_data, many_data = os.path.join(data, 'few'), os.path.join(data, 'many')
        server = Server(few_data)
        store = server.must('POST', '/v1/stores', {'name': 'world'})['id']
        path = f'/v1/stores/{store}'
        ten = [{'cedar': policy} for policy in POLICIES]
        server.must('POST', path + '/apply', {'schema': {'cedar': SCHEMA}, 'model': MODEL, 'policies': ten})
        write(server, path, 'tuples', 'write', world.tuples(sizes))
        write(server, path, 'entities', 'upsert', (
            {'uid': {'type': 'Document', 'id': f'd{d}'}, 'attrs': {'archived': False}} for d in range(sizes['D'])))
        write(server, path, 'entities', 'upsert', (
            {'uid': {'type': 'User', 'id': f'u{u}'}, 'attrs': {'level': 3}} for u in range(sizes['U'])))
        server.stop()
        shutil.copytree(few_data, many_data)
        checks = os.path.join(data, 'checks')
        with open(checks, 'w') as out:
            for user, relation, of, want in world.checks(sizes, 4000, 7):
                out.write(f'{user} {relation} {of} {str(want).lower()}\n')
        c0_port, route = free_port(), path + '/check'
        c0 = subprocess.Popen(['taskset', '-c', '0', C0, f'127.0.0.1:{c0_port}', '1'])
        few, many = Server(few_data, '0'), Server(many_data, '0')

        def answered(name, server):
            asked = [sys.executable, str(BENCH / 'answers.py'), f'http://127.0.0.1:{server.port}', route, checks, 'native', server.token]
            print(f'{name}:', subprocess.run(asked, capture_output=True, text=True).stdout.strip(), flush=True)
            wrk(server.port, 'native', route, checks, server.token, 2)

        def told(what, ratios):
            print(f'{what}: {statistics.median(ratios):.2f} (from {min(ratios):.2f} to {max(ratios):.2f})', flush=True)

        answered('10 policies', few)

        def of_roles(condition, roles):
            nonlocal many
            begun = time.monotonic()
            many.must('POST', path + '/apply', {'policies': ten + [of_role(n, condition) for n in range(ROLES)]})
            print(f'{ROLES} policies more applied in {time.monotonic() - begun:.1f} s', flush=True)
            many.stop()
            many = Server(many_data, '0')
            name = f'{10 + ROLES} policies, every user with {roles} of {ROLES} roles, {condition}'
            answered(name, many)
            of_limit, of_few, few_of_limit = [], [], []
            for _ in range(rounds):
                rates = []
                for title, port, token in (('c0', c0_port, 'x'), ('10', few.port, few.token), ('all', many.port, many.token)):
                    told_rate = wrk(port, 'native', route, checks, token, seconds)
                    print(f'  {title:4}{told_rate}', flush=True)
                    rates.append(float(told_rate.split()[0]))
                few_of_limit.append(rates[1] / rates[0])
                of_limit.append(rates[2] / rates[0])
                of_few.append(rates[2] / rates[1])
            told('10 policies, of C0', few_of_limit)
            told(f'{name}, of C0', of_limit)
            told('of that with 10', of_few)

        for roles in (1, 2):
            role_of = lambda u: (u * 7 + roles * 4_999) % ROLES
            write(many, path, 'tuples', 'write', (f'role:r{role_of(u)}#assignee@user:u{u}' for u in range(sizes['U'])))
            of_roles(OF_USER, roles)
        of_roles(OF_DOCUMENT, 2)
        c0.terminate()
        few.stop()
        many.stop()


if __name__ == '__main__':
    main()
