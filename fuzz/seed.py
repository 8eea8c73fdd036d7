"""Writes seeds into fuzz/corpus: those of this folder, what the repository ships, and the suites of others if there."""
import gzip, hashlib, json, os, pathlib, random, shutil

FUZZ = pathlib.Path(__file__).resolve().parent
ROOT = FUZZ.parent


def seed(target, data):
    folder = FUZZ / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    data = data.encode() if isinstance(data, str) else data
    (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)


def texts(*patterns):
    return [path.read_text() for pattern in patterns for path in sorted(ROOT.glob(pattern))]


def relations(tests):
    for stage in (stage for test in tests for stage in test["stages"]):
        seed("model_dsl", stage["model"])
        seed("model_json", json.dumps(stage["model_json"]))
        tuples = [f'{t["object"]}#{t["relation"]}@{t["user"]}' for t in stage.get("tuples") or []]
        seed("tuple_text", "\n".join(tuples[:8]))
        for condition in (stage["model_json"].get("conditions") or {}).values():
            parameters = ", ".join(
                f'{name}: {kind["type_name"].removeprefix("TYPE_NAME_").lower()}'
                for name, kind in condition.get("parameters", {}).items() if "generic_types" not in kind)
            seed("condition", f'{condition["expression"]} ;; {parameters} ;; {{}}')


def policies(cases):
    for case in cases:
        seed("policy_text", f'{case["schema"]}\n---\n{case["policies"]}')
        for request in case["requests"][:2]:
            body = {key: request[key] for key in ("principal", "action", "resource", "context")}
            seed("request_json", json.dumps({**body, "entities": case["entities"][:4]}))


for folder in sorted((FUZZ / "seeds").iterdir()):
    shutil.copytree(folder, FUZZ / "corpus" / folder.name, dirs_exist_ok=True)
dice = random.Random(1)
for _ in range(100):
    seed("relations", dice.randbytes(dice.randrange(50, 300)))
schemas = texts("schemas/*.cedarschema")
for text in texts("policies/*/*.cedar"):
    seed("policy_text", f"{schemas[0]}\n---\n{text}")
for line in texts("crates/authx-engine/src/relation/condition/tests/cases.txt")[0].splitlines():
    if " ;; " in line and not line.startswith("#"):
        seed("condition", line.split(" ;; ", 1)[1])

suites = pathlib.Path(os.environ.get("AUTHX_CONFORMANCE_DIR", ROOT / "../shared/conformance"))
if suites.is_dir():
    for name in ("consolidated", "abac"):
        relations(json.loads((suites / "openfga" / f"{name}.json").read_text())["tests"])
    policies(map(json.loads, (suites / "cedar/handwritten.jsonl").read_text().splitlines()))
    with gzip.open(suites / "cedar/corpus.jsonl.gz", "rt") as corpus:
        policies(json.loads(line) for line, _ in zip(corpus, range(300)))
