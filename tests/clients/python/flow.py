"""Runs a whole flow against a server with OpenFGA's own Python SDK: `python flow.py URL`."""

import asyncio
import datetime
import os
import re
import sys
import traceback
from contextlib import contextmanager

import openfga_sdk
from openfga_sdk.client.models import (
    ClientAssertion,
    ClientBatchCheckItem,
    ClientBatchCheckRequest,
    ClientCheckRequest,
    ClientExpandRequest,
    ClientListObjectsRequest,
    ClientListRelationsRequest,
    ClientReadChangesRequest,
    ClientTuple,
    ClientWriteRequest,
    ConflictOptions,
    WriteTransactionOpts,
)
from openfga_sdk.client.models.list_users_request import ClientListUsersRequest
from openfga_sdk.client.models.write_conflict_opts import (
    ClientWriteRequestOnDuplicateWrites as OnDuplicate,
    ClientWriteRequestOnMissingDeletes as OnMissing,
)
from openfga_sdk.exceptions import ApiException, NotFoundException, ValidationException
from openfga_sdk.models import (
    Condition,
    ConditionParamTypeRef,
    CreateStoreRequest,
    Difference,
    FgaObject,
    Metadata,
    ObjectRelation,
    ReadRequestTupleKey,
    RelationMetadata,
    RelationReference,
    RelationshipCondition,
    TupleToUserset,
    TypeDefinition,
    Userset,
    Usersets,
    UserTypeFilter,
    WriteAuthorizationModelRequest,
)
from openfga_sdk.sync import OpenFgaClient

URL = sys.argv[1]
NOWHERE = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
# Writes of documents beside those of `TUPLES`.
DOCUMENTS = 8

THIS = Userset(this={})
USER = RelationReference(type="user")
MEMBERS = RelationReference(type="group", relation="member")
INT = ConditionParamTypeRef(type_name="TYPE_NAME_INT")


def computed(relation):
    return Userset(computed_userset=ObjectRelation(relation=relation))


def following(relation, tupleset):
    there = ObjectRelation(relation=relation)
    return Userset(tuple_to_userset=TupleToUserset(tupleset=ObjectRelation(relation=tupleset), computed_userset=there))


def direct(*types):
    return RelationMetadata(directly_related_user_types=list(types))


OPEN_TO = [
    USER,
    RelationReference(type="user", wildcard={}),
    RelationReference(type="user", condition="before_closing"),
]
MODEL = WriteAuthorizationModelRequest(
    schema_version="1.1",
    type_definitions=[
        TypeDefinition(type="user"),
        TypeDefinition(
            type="group", relations={"member": THIS}, metadata=Metadata(relations={"member": direct(USER, MEMBERS)})
        ),
        TypeDefinition(
            type="folder", relations={"viewer": THIS}, metadata=Metadata(relations={"viewer": direct(USER)})
        ),
        TypeDefinition(
            type="document",
            relations={
                "parent": THIS,
                "owner": THIS,
                "blocked": THIS,
                "viewer": Userset(union=Usersets(child=[THIS, computed("owner"), following("viewer", "parent")])),
                "can_read": Userset(difference=Difference(base=computed("viewer"), subtract=computed("blocked"))),
            },
            metadata=Metadata(
                relations={
                    "parent": direct(RelationReference(type="folder")),
                    "owner": direct(USER),
                    "blocked": direct(USER),
                    "viewer": direct(*OPEN_TO, MEMBERS),
                }
            ),
        ),
    ],
    conditions={
        "before_closing": Condition(
            name="before_closing", expression="hour < closes", parameters={"hour": INT, "closes": INT}
        )
    },
)


def closing(hour):
    return RelationshipCondition(name="before_closing", context={"closes": hour})


def doc(name):
    return ClientTuple("user:bulk", "viewer", f"document:{name}")


TUPLES = [
    ClientTuple("user:ann", "member", "group:staff"),
    ClientTuple("user:dan", "member", "group:staff"),
    ClientTuple("group:staff#member", "member", "group:all"),
    ClientTuple("user:bob", "viewer", "folder:plans"),
    ClientTuple("folder:plans", "parent", "document:roadmap"),
    ClientTuple("group:all#member", "viewer", "document:roadmap"),
    ClientTuple("user:cid", "owner", "document:roadmap"),
    ClientTuple("user:dan", "blocked", "document:roadmap"),
    ClientTuple("user:*", "viewer", "document:notice"),
    ClientTuple("user:eve", "viewer", "document:budget", closing(18)),
]
IGNORE = ConflictOptions(OnDuplicate.IGNORE, OnMissing.IGNORE)

steps = 0


@contextmanager
def step(name):
    global steps
    try:
        yield
    except BaseException as error:
        print(f"step {steps + 1}, {name}: {error!r} {error}", file=sys.stderr)
        traceback.print_exc()
        sys.exit(1)
    steps += 1


def same(found, expected):
    assert found == expected, f"{found!r} instead of {expected!r}"


@contextmanager
def refused(kind, code, status=400):
    try:
        yield
    except ApiException as error:
        assert isinstance(error, kind), f"{kind.__name__}, not {error!r}"
        same((error.code, error.status), (code, status))
        assert error.parsed_exception.message, "a message"
    else:
        raise AssertionError(f"expected {code}")


def paged(read, items):
    """All pages of a listing, and how many."""
    found, pages, token = [], 0, None
    while pages == 0 or token:
        page = read({"continuation_token": token} if token else {})
        found += items(page)
        token = page.continuation_token
        pages += 1
        assert pages < 100, "pages end"
    return found, pages


def text(key):
    return f"{key.object}#{key.relation}@{key.user}"


def allowed(user, relation, object, expected, options=None, **more):
    reply = fga.check(ClientCheckRequest(user, relation, object, **more), options)
    assert reply.allowed is expected, f"{object}#{relation}@{user}"


def filters(user=None, relation=None, object=None):
    return ReadRequestTupleKey(user=user, relation=relation, object=object)


fga = OpenFgaClient(openfga_sdk.ClientConfiguration(api_url=URL))
name = f"flow-python-{os.getpid()}"

with step("create store"):
    store = fga.create_store(CreateStoreRequest(name=name))
    assert re.fullmatch("[0-9A-HJKMNP-TV-Z]{26}", store.id)
    same(store.name, name)
    assert isinstance(store.created_at, datetime.datetime) and isinstance(store.updated_at, datetime.datetime)
    fga.set_store_id(store.id)
with step("list stores by name"):
    same([one.id for one in fga.list_stores({"name": name}).stores], [store.id])
with step("list stores by page"):
    found, pages = paged(lambda token: fga.list_stores({"page_size": 1, **token}), lambda page: page.stores)
    same(len([one for one in found if one.id == store.id]), 1)
    assert pages >= len(found)
with step("get store"):
    same(fga.get_store().name, name)
with step("get a store that is not there"):
    fga.set_store_id(NOWHERE)
    with refused(NotFoundException, "store_id_not_found", 404):
        fga.get_store()
    fga.set_store_id(store.id)
with step("no model yet"):
    same(fga.read_latest_authorization_model().authorization_model, None)
    with refused(ValidationException, "latest_authorization_model_not_found"):
        allowed("user:ann", "member", "group:staff", True)
with step("write model"):
    first = fga.write_authorization_model(MODEL).authorization_model_id
    second = fga.write_authorization_model(MODEL).authorization_model_id
    assert first != second
with step("write a wrong model"), refused(ValidationException, "invalid_authorization_model"):
    wrong = [TypeDefinition(type="a", relations={"b": computed("c")})]
    fga.write_authorization_model(WriteAuthorizationModelRequest(schema_version="1.1", type_definitions=wrong))
with step("read models by page, newest first"):
    found, _ = paged(
        lambda token: fga.read_authorization_models({"page_size": 1, **token}), lambda page: page.authorization_models
    )
    same([model.id for model in found], [second, first])
with step("read latest model"):
    same(fga.read_latest_authorization_model().authorization_model.id, second)
with step("read model"):
    read = fga.read_authorization_model({"authorization_model_id": first}).authorization_model
    same((read.id, read.schema_version), (first, "1.1"))
    same([definition.type for definition in read.type_definitions], ["user", "group", "folder", "document"])
    same(read.type_definitions[3].relations["can_read"].difference.subtract.computed_userset.relation, "blocked")
    same(read.conditions["before_closing"].expression, "hour < closes")
    same(read.conditions["before_closing"].parameters["hour"].type_name, "TYPE_NAME_INT")
with step("a model that is not there"):
    with refused(ValidationException, "authorization_model_not_found"):
        fga.read_authorization_model({"authorization_model_id": NOWHERE})
    with refused(ValidationException, "authorization_model_not_found"):
        allowed("user:ann", "member", "group:staff", True, {"authorization_model_id": NOWHERE})
fga.set_authorization_model_id(second)
with step("write tuples"):
    same([one.success for one in fga.write(ClientWriteRequest(writes=TUPLES)).writes], [True] * len(TUPLES))
with step("write a duplicate, and nothing beside it"):
    with refused(ValidationException, "write_failed_due_to_invalid_input"):
        fga.write(ClientWriteRequest(writes=[doc("beside"), TUPLES[0]]))
    same(fga.read(filters("user:bulk", "viewer", "document:beside")).tuples, [])
with step("ignore a duplicate"):
    fga.write(ClientWriteRequest(writes=[TUPLES[0], doc("1")]), {"conflict": IGNORE})
with step("a duplicate with another condition is not ignored"):
    try:
        other = ClientTuple("user:eve", "viewer", "document:budget", closing(24))
        fga.write(ClientWriteRequest(writes=[other]), {"conflict": IGNORE})
        raise AssertionError("expected a conflict")
    except ApiException as error:
        same(error.status, 409)
with step("delete what is not there"), refused(ValidationException, "write_failed_due_to_invalid_input"):
    fga.delete_tuples([doc("2")])
with step("ignore a missing tuple"):
    fga.write(ClientWriteRequest(deletes=[doc("1"), doc("2")]), {"conflict": IGNORE})
with step("write and delete at once"):
    fga.write_tuples([doc("3")])
    fga.write(ClientWriteRequest(writes=[doc("4")], deletes=[doc("3")]))
    left = fga.read(filters("user:bulk", None, "document:")).tuples
    same([one.key.object for one in left], ["document:4"])
with step("a tuple that the model refuses"), refused(ValidationException, "validation_error"):
    fga.write_tuples([ClientTuple("folder:x", "owner", "document:x")])
with (
    step("a tuple twice in one write"),
    refused(ValidationException, "cannot_allow_duplicate_tuples_in_one_request"),
):
    fga.write_tuples([doc("5"), doc("5")])
with step("write without a transaction"):
    body = ClientWriteRequest(writes=[doc("5"), TUPLES[0], doc("6")], deletes=[doc("4"), doc("none")])
    reply = fga.write(body, {"transaction": WriteTransactionOpts(disabled=True)})
    same([one.success for one in reply.writes], [True, False, True])
    same([one.success for one in reply.deletes], [True, False])
    same(reply.writes[1].error.code, "write_failed_due_to_invalid_input")
with step("write in chunks, duplicates ignored"):
    chunks = WriteTransactionOpts(disabled=True, max_per_chunk=2, max_parallel_requests=2)
    body = ClientWriteRequest(writes=[doc(name) for name in "56789"])
    same([one.success for one in fga.write(body, {"transaction": chunks, "conflict": IGNORE}).writes], [True] * 5)
with step("check: allow"):
    allowed("user:cid", "owner", "document:roadmap", True)
    allowed("user:ann", "can_read", "document:roadmap", True)
    allowed("user:bob", "can_read", "document:roadmap", True)
    allowed("user:anyone", "viewer", "document:notice", True)
    allowed("group:staff#member", "viewer", "document:roadmap", True)
with step("check: deny"):
    allowed("user:ann", "owner", "document:roadmap", False)
    allowed("user:dan", "can_read", "document:roadmap", False)
    allowed("user:dan", "viewer", "document:roadmap", True)
    allowed("user:zoe", "viewer", "document:nothing", False)
with step("check: consistency and an older model"):
    options = {"consistency": "HIGHER_CONSISTENCY", "authorization_model_id": first}
    allowed("user:ann", "can_read", "document:roadmap", True, options)
with step("check: contextual tuples"):
    guest = [ClientTuple("user:zoe", "member", "group:all")]
    allowed("user:zoe", "can_read", "document:roadmap", True, contextual_tuples=guest)
    allowed("user:zoe", "can_read", "document:roadmap", False)
with step("check: condition"):
    allowed("user:eve", "viewer", "document:budget", True, context={"hour": 9})
    allowed("user:eve", "viewer", "document:budget", False, context={"hour": 18})
    with refused(ValidationException, "validation_error"):
        allowed("user:eve", "viewer", "document:budget", True)
with step("check: no such relation"), refused(ValidationException, "validation_error"):
    allowed("user:ann", "none", "document:roadmap", True)
with step("batch check"):
    checks = [
        ClientBatchCheckItem("user:ann", "can_read", "document:roadmap", "allow"),
        ClientBatchCheckItem("user:dan", "can_read", "document:roadmap", "deny"),
        ClientBatchCheckItem("user:eve", "viewer", "document:budget", "open", context={"hour": 9}),
        ClientBatchCheckItem("user:eve", "viewer", "document:budget", "closed", context={"hour": 20}),
        ClientBatchCheckItem(
            "user:zoe", "viewer", "folder:plans", "contextual", [ClientTuple("user:zoe", "viewer", "folder:plans")]
        ),
        ClientBatchCheckItem("user:ann", "none", "document:roadmap", "wrong"),
    ]
    reply = fga.batch_check(ClientBatchCheckRequest(checks), {"max_batch_size": 4})
    answers = {one.correlation_id: one.allowed for one in reply.result if one.error is None}
    same(answers, {"allow": True, "deny": False, "open": True, "closed": False, "contextual": True})
    problems = {one.correlation_id: one.error for one in reply.result if one.error is not None}
    same(list(problems), ["wrong"])
    assert "none" in problems["wrong"].message and problems["wrong"].input_error is not None
with step("batch check of many in parallel"):
    many = [ClientBatchCheckItem(f"user:{one}", "can_read", "document:roadmap") for one in ["ann", "dan"] * 60]
    reply = fga.batch_check(ClientBatchCheckRequest(many))
    same(len(reply.result), 120)
    assert all(one.allowed is (one.request.user == "user:ann") for one in reply.result)
with step("list relations"):
    relations = ["owner", "viewer", "can_read", "blocked"]
    found = fga.list_relations(ClientListRelationsRequest("user:dan", relations, "document:roadmap"))
    same(sorted(found), ["blocked", "viewer"])
with step("list objects"):
    found = fga.list_objects(ClientListObjectsRequest("user:ann", "can_read", "document")).objects
    same(sorted(found), ["document:notice", "document:roadmap"])
    diary = [ClientTuple("user:eve", "owner", "document:diary")]
    found = fga.list_objects(ClientListObjectsRequest("user:eve", "viewer", "document", diary, {"hour": 9})).objects
    same(sorted(found), ["document:budget", "document:diary", "document:notice"])
    with refused(ValidationException, "type_not_found"):
        fga.list_objects(ClientListObjectsRequest("user:ann", "can_read", "planet"))
BULK = [f"document:{name}" for name in ["5", "6", "7", "8", "9", "notice"]]
with step("streamed list objects"):
    found = fga.streamed_list_objects(ClientListObjectsRequest("user:bulk", "viewer", "document"))
    same(sorted(one.object for one in found), BULK)
    late = ClientListObjectsRequest("user:eve", "viewer", "document", context={"hour": 20})
    same([one.object for one in fga.streamed_list_objects(late)], ["document:notice"])
    try:
        list(fga.streamed_list_objects(ClientListObjectsRequest("user:bulk", "none", "document")))
        raise AssertionError("expected an error")
    except ValidationException as error:
        same(error.status, 400)


def users(relation, object, *kinds, **more):
    of = FgaObject(type="document", id=object)
    return fga.list_users(ClientListUsersRequest(of, relation, list(kinds), **more)).users


with step("list users"):
    same(sorted(one.object.id for one in users("can_read", "roadmap", UserTypeFilter("user"))), ["ann", "bob", "cid"])
    found = [one.userset for one in users("viewer", "roadmap", UserTypeFilter("group", "member"))]
    same(sorted(f"{of.type}:{of.id}#{of.relation}" for of in found), ["group:all#member", "group:staff#member"])
    same([one.wildcard.type for one in users("viewer", "notice", UserTypeFilter("user"))], ["user"])
with step("list users with context"):
    zoe = [ClientTuple("user:zoe", "owner", "document:budget")]
    found = users("viewer", "budget", UserTypeFilter("user"), contextual_tuples=zoe, context={"hour": 9})
    same(sorted(one.object.id for one in found), ["eve", "zoe"])
with step("expand"):
    root = fga.expand(ClientExpandRequest("viewer", "document:roadmap")).tree.root
    same(root.name, "document:roadmap#viewer")
    straight, owner, parent = (node.leaf for node in root.union.nodes)
    same(straight.users.users, ["group:all#member"])
    same(owner.computed.userset, "document:roadmap#owner")
    same(parent.tuple_to_userset.tupleset, "document:roadmap#parent")
    same([one.userset for one in parent.tuple_to_userset.computed], ["folder:plans#viewer"])
    difference = fga.expand(ClientExpandRequest("can_read", "document:roadmap")).tree.root.difference
    same(difference.base.leaf.computed.userset, "document:roadmap#viewer")
    same(difference.subtract.leaf.computed.userset, "document:roadmap#blocked")
with step("read"):
    (found,) = fga.read(filters(object="document:budget")).tuples
    same((found.key.condition.name, found.key.condition.context), ("before_closing", {"closes": 18}))
    assert isinstance(found.timestamp, datetime.datetime)
    found = fga.read(filters("user:dan", "blocked", "document:")).tuples
    same([text(one.key) for one in found], ["document:roadmap#blocked@user:dan"])
with step("read by page"):
    found, pages = paged(lambda token: fga.read(filters(), {"page_size": 4, **token}), lambda page: page.tuples)
    expected = sorted(text(key) for key in TUPLES + [doc(name) for name in "56789"])
    same(sorted(text(one.key) for one in found), expected)
    same(pages, 4)
with step("read with a wrong token"), refused(ValidationException, "invalid_continuation_token"):
    fga.read(filters(), {"continuation_token": "nonsense"})
with step("read changes by page"):
    found, page, token = [], None, None
    while page is None or page.changes:
        options = {"page_size": 3, **({"continuation_token": token} if token else {})}
        page = fga.read_changes(ClientReadChangesRequest("document"), options)
        assert len(page.changes) <= 3 and (page.changes or page.continuation_token == token)
        found, token = found + page.changes, page.continuation_token
    same(len([one for one in found if one.operation == "TUPLE_OPERATION_WRITE"]), 6 + DOCUMENTS)
    gone = [one.tuple_key.object for one in found if one.operation == "TUPLE_OPERATION_DELETE"]
    same(sorted(gone), ["document:1", "document:3", "document:4"])
    assert all(isinstance(one.timestamp, datetime.datetime) for one in found)
    with refused(ValidationException, "query_string_type_continuation_token_mismatch"):
        fga.read_changes(ClientReadChangesRequest("group"), {"continuation_token": token})
with step("read changes of all types, and since a time"):
    found = fga.read_changes(ClientReadChangesRequest(None), {"page_size": 100}).changes
    same(len(found), len(TUPLES) + DOCUMENTS + 3)
    same(sorted(text(one.tuple_key) for one in found[:10]), sorted(map(text, TUPLES)))
    same(fga.read_changes(ClientReadChangesRequest("group", "2999-01-01T00:00:00Z")).changes, [])
with step("assertions"):
    same(fga.read_assertions().assertions, [])
    asserted = [("user:ann", "can_read", "document:roadmap", True), ("user:dan", "can_read", "document:roadmap", False)]
    fga.write_assertions([ClientAssertion(*one) for one in asserted])
    read = fga.read_assertions()
    same(read.authorization_model_id, second)
    found = [(one.tuple_key, one.expectation) for one in read.assertions]
    same([(key.user, key.relation, key.object, expected) for key, expected in found], asserted)
with step("delete tuples"):
    fga.delete_tuples([TUPLES[0]])
    allowed("user:ann", "can_read", "document:roadmap", False)


async def asynchronous():
    configuration = openfga_sdk.ClientConfiguration(api_url=URL, store_id=store.id, authorization_model_id=second)
    async with openfga_sdk.OpenFgaClient(configuration) as client:
        assert (await client.check(ClientCheckRequest("user:bob", "can_read", "document:roadmap"))).allowed is True
        with refused(ValidationException, "write_failed_due_to_invalid_input"):
            await client.write_tuples([TUPLES[1]])
        ask = ClientListObjectsRequest("user:bulk", "viewer", "document")
        same(sorted([one.object async for one in client.streamed_list_objects(ask)]), BULK)


with step("the asynchronous client"):
    asyncio.run(asynchronous())
with step("delete store"):
    fga.delete_store()
    with refused(NotFoundException, "store_id_not_found", 404):
        fga.get_store()
    same(fga.list_stores({"name": name}).stores, [])
    fga.delete_store()

print(f"{steps} steps passed")
