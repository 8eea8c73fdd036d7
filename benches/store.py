#!/usr/bin/env python3
"""Fills a store with the document world of the measuring bench, as Cedar entities and ten policies.

store.py BASE TOKEN WORLD_DIR SCALE -> prints the store's id. Users are in groups, documents have an owner, an editor and the
groups that their folders are shared with; the expected answers are those of `world.py checks`. Standard library only.
"""
import http.client, json, sys, urllib.parse

SCHEMA = """
entity Group;
entity User in [Group] = { level?: Long };
entity Document = { owner: User, editor: User, viewers: Set<Group>, archived: Bool };
action "any";
action "view", "edit" in ["any"] appliesTo { principal: [User], resource: [Document], context: { mfa?: Bool } };
"""

POLICIES = [
    '@id("owners") permit (principal, action in Action::"any", resource) when { resource.owner == principal };',
    '@id("editors") permit (principal, action in Action::"any", resource) when { resource.editor == principal };',
    '@id("viewers-read") permit (principal, action == Action::"view", resource) when { principal in resource.viewers };',
    '@id("archived") forbid (principal, action == Action::"edit", resource) when { resource.archived };',
    '@id("root") permit (principal == User::"root", action, resource);',
    '@id("press") permit (principal in Group::"press", action == Action::"view", resource);',
    '@id("lobby") permit (principal, action, resource == Document::"lobby");',
    '@id("mallory") forbid (principal == User::"mallory", action, resource);',
    '@id("low-level") forbid (principal, action, resource) when { principal has level && principal.level < 1 };',
    '@id("mfa") forbid (principal, action == Action::"edit", resource) unless { context has mfa && context.mfa };',
]


def call(connection, token, method, path, body):
    headers = {'Content-Type': 'application/json', 'Authorization': 'Bearer ' + token}
    connection.request(method, path, json.dumps(body), headers)
    reply = connection.getresponse()
    data = reply.read()
    if reply.status >= 300:
        sys.exit(f'{method} {path}: {reply.status} {data[:500]!r}')
    return json.loads(data)


def uid(kind, name):
    return {'type': kind, 'id': name}


def ref(kind, name):
    return {'__entity': uid(kind, name)}


def entities(world, z):
    for u in range(z['U']):
        groups = sorted(set(world.groups_of(u, z)))
        yield {'uid': uid('User', f'u{u}'), 'attrs': {'level': 3}, 'parents': [uid('Group', f'g{g}') for g in groups]}
    for d in range(z['D']):
        viewers, folder = set(), world.folder_of(d, z)
        while folder is not None:
            if folder % 5 == 0:
                viewers |= set(world.folder_groups(folder, z))
            folder = world.parent_of(folder, z)
        attrs = {'owner': ref('User', f'u{world.owner_of(d, z)}'), 'editor': ref('User', f'u{world.editor_of(d, z)}'),
                 'viewers': [ref('Group', f'g{g}') for g in sorted(viewers)], 'archived': False}
        yield {'uid': uid('Document', f'd{d}'), 'attrs': attrs, 'parents': []}


def main():
    base, token, world_dir, scale = sys.argv[1:5]
    sys.path.insert(0, world_dir)
    import world
    z = world.sizes(int(scale))
    url = urllib.parse.urlparse(base)
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=120)
    store = call(connection, token, 'POST', '/v1/stores', {'name': 'bench'})['id']
    path = f'/v1/stores/{store}'
    call(connection, token, 'POST', path + '/apply', {'schema': {'cedar': SCHEMA}, 'policies': [{'cedar': '\n'.join(POLICIES)}]})
    batch = []
    for entity in entities(world, z):
        batch.append(entity)
        if len(batch) == 5000:
            call(connection, token, 'POST', path + '/write', {'entities': {'upsert': batch}})
            batch = []
    call(connection, token, 'POST', path + '/write', {'entities': {'upsert': batch}})
    print(store)


if __name__ == '__main__':
    main()
