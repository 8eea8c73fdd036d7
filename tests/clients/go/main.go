// Runs a whole flow against a server with OpenFGA's own Go SDK: `flow URL`.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	sdk "github.com/openfga/go-sdk"
	"github.com/openfga/go-sdk/client"
)

const (
	nowhere = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
	// Writes of documents beside those of `tuples`.
	documents = 8
	model     = `{
  "schema_version": "1.1",
  "type_definitions": [
    {"type": "user"},
    {"type": "group", "relations": {"member": {"this": {}}}, "metadata": {"relations": {"member": {
      "directly_related_user_types": [{"type": "user"}, {"type": "group", "relation": "member"}]}}}},
    {"type": "folder", "relations": {"viewer": {"this": {}}}, "metadata": {"relations": {"viewer": {
      "directly_related_user_types": [{"type": "user"}]}}}},
    {"type": "document",
      "relations": {
        "parent": {"this": {}},
        "owner": {"this": {}},
        "blocked": {"this": {}},
        "viewer": {"union": {"child": [
          {"this": {}},
          {"computedUserset": {"relation": "owner"}},
          {"tupleToUserset": {"tupleset": {"relation": "parent"}, "computedUserset": {"relation": "viewer"}}}]}},
        "can_read": {"difference": {
          "base": {"computedUserset": {"relation": "viewer"}},
          "subtract": {"computedUserset": {"relation": "blocked"}}}}
      },
      "metadata": {"relations": {
        "parent": {"directly_related_user_types": [{"type": "folder"}]},
        "owner": {"directly_related_user_types": [{"type": "user"}]},
        "blocked": {"directly_related_user_types": [{"type": "user"}]},
        "viewer": {"directly_related_user_types": [
          {"type": "user"},
          {"type": "user", "wildcard": {}},
          {"type": "user", "condition": "before_closing"},
          {"type": "group", "relation": "member"}]}
      }}}
  ],
  "conditions": {"before_closing": {"name": "before_closing", "expression": "hour < closes",
    "parameters": {"hour": {"type_name": "TYPE_NAME_INT"}, "closes": {"type_name": "TYPE_NAME_INT"}}}}
}`
)

type (
	object = map[string]any
	keys   = []client.ClientTupleKey
	bare   = []client.ClientTupleKeyWithoutCondition
)

func tuple(user, relation, object string) client.ClientTupleKey {
	return client.ClientTupleKey{User: user, Relation: relation, Object: object}
}

func closing(hour int) client.ClientTupleKey {
	condition := sdk.RelationshipCondition{Name: "before_closing", Context: &object{"closes": hour}}
	return client.ClientTupleKey{User: "user:eve", Relation: "viewer", Object: "document:budget", Condition: &condition}
}

func doc(name string) client.ClientTupleKey { return tuple("user:bulk", "viewer", "document:"+name) }

func without(key client.ClientTupleKey) client.ClientTupleKeyWithoutCondition {
	return client.ClientTupleKeyWithoutCondition{User: key.User, Relation: key.Relation, Object: key.Object}
}

func text(key client.ClientTupleKey) string { return key.Object + "#" + key.Relation + "@" + key.User }

var tuples = keys{
	tuple("user:ann", "member", "group:staff"),
	tuple("user:dan", "member", "group:staff"),
	tuple("group:staff#member", "member", "group:all"),
	tuple("user:bob", "viewer", "folder:plans"),
	tuple("folder:plans", "parent", "document:roadmap"),
	tuple("group:all#member", "viewer", "document:roadmap"),
	tuple("user:cid", "owner", "document:roadmap"),
	tuple("user:dan", "blocked", "document:roadmap"),
	tuple("user:*", "viewer", "document:notice"),
	closing(18),
}

var (
	ctx   = context.Background()
	fga   *client.OpenFgaClient
	name  = fmt.Sprintf("flow-go-%d", os.Getpid())
	store string
	first string
	// The model in use.
	second string
	steps  int
)

// A failed assertion; `step` says where it happened.
type failure string

func must(holds bool, format string, values ...any) {
	if !holds {
		panic(failure(fmt.Sprintf(format, values...)))
	}
}

// The answer of a call that must succeed.
func ok[T any](answer T, err error) T {
	must(err == nil, "%T: %v", err, err)
	return answer
}

func same(found, expected any) {
	must(reflect.DeepEqual(found, expected), "%#v instead of %#v", found, expected)
}

func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}

func each[T any](list []T, show func(T) string) []string {
	shown := []string{}
	for _, one := range list {
		shown = append(shown, show(one))
	}
	return shown
}

func invalid(err error, code sdk.ErrorCode) {
	var refused sdk.FgaApiValidationError
	must(errors.As(err, &refused), "expected %s, not %T: %v", code, err, err)
	same(refused.ResponseCode(), code)
	same(refused.ResponseStatusCode(), 400)
}

func missing(err error) {
	var refused sdk.FgaApiNotFoundError
	must(errors.As(err, &refused), "expected a missing store, not %T: %v", err, err)
	same(string(refused.ResponseCode()), "store_id_not_found")
}

func step(name string, run func()) {
	defer func() {
		if problem := recover(); problem != nil {
			fmt.Fprintf(os.Stderr, "step %d, %s: %v\n", steps+1, name, problem)
			if _, expected := problem.(failure); !expected {
				panic(problem)
			}
			os.Exit(1)
		}
	}()
	run()
	steps++
}

// All pages of a listing, and how many.
func paged[T any](read func(token *string) ([]T, string)) ([]T, int) {
	var all []T
	var token *string
	for pages := 1; ; pages++ {
		items, next := read(token)
		all = append(all, items...)
		if next == "" {
			return all, pages
		}
		must(pages < 100, "pages end")
		token = &next
	}
}

func check(user, relation, of string, more client.ClientCheckRequest, options client.ClientCheckOptions) (bool, error) {
	more.User, more.Relation, more.Object = user, relation, of
	reply, err := fga.Check(ctx).Body(more).Options(options).Execute()
	if err != nil {
		return false, err
	}
	return reply.GetAllowed(), nil
}

func allowed(user, relation, of string, expected bool, more ...client.ClientCheckRequest) {
	request := client.ClientCheckRequest{}
	if len(more) > 0 {
		request = more[0]
	}
	must(ok(check(user, relation, of, request, client.ClientCheckOptions{})) == expected, "%s#%s@%s", of, relation, user)
}

func write(writes keys, deletes bare, options client.ClientWriteOptions) (*client.ClientWriteResponse, error) {
	return fga.Write(ctx).Body(client.ClientWriteRequest{Writes: writes, Deletes: deletes}).Options(options).Execute()
}

func read(user, relation, of string) []string {
	filled := func(text string) *string {
		if text == "" {
			return nil
		}
		return &text
	}
	body := client.ClientReadRequest{User: filled(user), Relation: filled(relation), Object: filled(of)}
	return each(ok(fga.Read(ctx).Body(body).Execute()).Tuples, func(one sdk.Tuple) string { return text(one.Key) })
}

func listed(request client.ClientListObjectsRequest) []string {
	return sorted(ok(fga.ListObjects(ctx).Body(request).Execute()).Objects)
}

func streamed(request client.ClientStreamedListObjectsRequest) ([]string, error) {
	stream, err := fga.StreamedListObjects(ctx).Body(request).Execute()
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	found := []string{}
	for one := range stream.Objects {
		found = append(found, one.Object)
	}
	return sorted(found), <-stream.Errors
}

func users(of, relation, kind, subrelation string, more client.ClientListUsersRequest) []string {
	more.Object, more.Relation = sdk.FgaObject{Type: "document", Id: of}, relation
	more.UserFilters = []sdk.UserTypeFilter{{Type: kind}}
	if subrelation != "" {
		more.UserFilters[0].Relation = &subrelation
	}
	return sorted(each(ok(fga.ListUsers(ctx).Body(more).Execute()).Users, func(one sdk.User) string {
		switch {
		case one.Object != nil:
			return one.Object.Type + ":" + one.Object.Id
		case one.Userset != nil:
			return one.Userset.Type + ":" + one.Userset.Id + "#" + one.Userset.Relation
		}
		return one.Wildcard.Type + ":*"
	}))
}

func main() {
	url := os.Args[1]
	step("create store", func() {
		fga = ok(client.NewSdkClient(&client.ClientConfiguration{ApiUrl: url}))
		made := ok(fga.CreateStore(ctx).Body(client.ClientCreateStoreRequest{Name: name}).Execute())
		must(regexp.MustCompile("^[0-9A-HJKMNP-TV-Z]{26}$").MatchString(made.Id), "id %s", made.Id)
		same(made.Name, name)
		must(!made.CreatedAt.IsZero() && !made.UpdatedAt.IsZero(), "times")
		store = made.Id
		fga = ok(client.NewSdkClient(&client.ClientConfiguration{ApiUrl: url, StoreId: store}))
	})
	stores()
	models()
	fga = ok(client.NewSdkClient(&client.ClientConfiguration{ApiUrl: url, StoreId: store, AuthorizationModelId: second}))
	writes()
	checks()
	lists()
	reads()
	ends()
	fmt.Printf("%d steps passed\n", steps)
}

func stores() {
	id := func(one sdk.Store) string { return one.Id }
	step("list stores by name", func() {
		found := ok(fga.ListStores(ctx).Options(client.ClientListStoresOptions{Name: &name}).Execute())
		same(each(found.Stores, id), []string{store})
	})
	step("list stores by page", func() {
		found, pages := paged(func(token *string) ([]sdk.Store, string) {
			options := client.ClientListStoresOptions{PageSize: sdk.PtrInt32(1), ContinuationToken: token}
			page := ok(fga.ListStores(ctx).Options(options).Execute())
			return page.Stores, page.ContinuationToken
		})
		must(slices.Contains(each(found, id), store) && pages >= len(found), "%v in %d pages", found, pages)
	})
	step("get store", func() { same(ok(fga.GetStore(ctx).Execute()).Name, name) })
	step("get a store that is not there", func() {
		_, err := fga.GetStore(ctx).Options(client.ClientGetStoreOptions{StoreId: sdk.PtrString(nowhere)}).Execute()
		missing(err)
	})
}

func models() {
	step("no model yet", func() {
		must(ok(fga.ReadLatestAuthorizationModel(ctx).Execute()).AuthorizationModel == nil, "a model")
		_, err := check("user:ann", "member", "group:staff", client.ClientCheckRequest{}, client.ClientCheckOptions{})
		invalid(err, sdk.ERRORCODE_LATEST_AUTHORIZATION_MODEL_NOT_FOUND)
	})
	step("write model", func() {
		var body client.ClientWriteAuthorizationModelRequest
		must(json.Unmarshal([]byte(model), &body) == nil, "the model is JSON")
		first = ok(fga.WriteAuthorizationModel(ctx).Body(body).Execute()).AuthorizationModelId
		second = ok(fga.WriteAuthorizationModel(ctx).Body(body).Execute()).AuthorizationModelId
		must(first != second, "two models")
	})
	step("write a wrong model", func() {
		wrong := map[string]sdk.Userset{"b": {ComputedUserset: &sdk.ObjectRelation{Relation: sdk.PtrString("c")}}}
		definitions := []sdk.TypeDefinition{{Type: "a", Relations: &wrong}}
		body := client.ClientWriteAuthorizationModelRequest{SchemaVersion: "1.1", TypeDefinitions: definitions}
		_, err := fga.WriteAuthorizationModel(ctx).Body(body).Execute()
		invalid(err, sdk.ERRORCODE_INVALID_AUTHORIZATION_MODEL)
	})
	step("read models by page, newest first", func() {
		found, _ := paged(func(token *string) ([]sdk.AuthorizationModel, string) {
			options := client.ClientReadAuthorizationModelsOptions{PageSize: sdk.PtrInt32(1), ContinuationToken: token}
			page := ok(fga.ReadAuthorizationModels(ctx).Options(options).Execute())
			return page.AuthorizationModels, page.GetContinuationToken()
		})
		same(each(found, func(one sdk.AuthorizationModel) string { return one.Id }), []string{second, first})
	})
	step("read latest model", func() {
		same(ok(fga.ReadLatestAuthorizationModel(ctx).Execute()).AuthorizationModel.Id, second)
	})
	step("read model", func() {
		options := client.ClientReadAuthorizationModelOptions{AuthorizationModelId: &first}
		found := ok(fga.ReadAuthorizationModel(ctx).Options(options).Execute()).AuthorizationModel
		same([]string{found.Id, found.SchemaVersion}, []string{first, "1.1"})
		types := each(found.TypeDefinitions, func(one sdk.TypeDefinition) string { return one.Type })
		same(types, []string{"user", "group", "folder", "document"})
		same(*(*found.TypeDefinitions[3].Relations)["can_read"].Difference.Subtract.ComputedUserset.Relation, "blocked")
		condition := (*found.Conditions)["before_closing"]
		same(condition.Expression, "hour < closes")
		same((*condition.Parameters)["hour"].TypeName, sdk.TYPENAME_INT)
	})
	step("a model that is not there", func() {
		id := sdk.PtrString(nowhere)
		of := client.ClientReadAuthorizationModelOptions{AuthorizationModelId: id}
		_, err := fga.ReadAuthorizationModel(ctx).Options(of).Execute()
		invalid(err, sdk.ERRORCODE_AUTHORIZATION_MODEL_NOT_FOUND)
		options := client.ClientCheckOptions{AuthorizationModelId: id}
		_, err = check("user:ann", "member", "group:staff", client.ClientCheckRequest{}, options)
		invalid(err, sdk.ERRORCODE_AUTHORIZATION_MODEL_NOT_FOUND)
	})
}

func writes() {
	plain := client.ClientWriteOptions{}
	ignore := client.ClientWriteConflictOptions{
		OnDuplicateWrites: client.CLIENT_WRITE_REQUEST_ON_DUPLICATE_WRITES_IGNORE,
		OnMissingDeletes:  client.CLIENT_WRITE_REQUEST_ON_MISSING_DELETES_IGNORE,
	}
	ignoring := client.ClientWriteOptions{Conflict: ignore}
	step("write tuples", func() {
		for _, one := range ok(fga.Write(ctx).Body(client.ClientWriteRequest{Writes: tuples}).Execute()).Writes {
			same(one.Status, client.SUCCESS)
		}
	})
	step("write a duplicate, and nothing beside it", func() {
		_, err := write(keys{doc("beside"), tuples[0]}, nil, plain)
		invalid(err, sdk.ERRORCODE_WRITE_FAILED_DUE_TO_INVALID_INPUT)
		same(read("user:bulk", "viewer", "document:beside"), []string{})
	})
	step("ignore a duplicate", func() { ok(write(keys{tuples[0], doc("1")}, nil, ignoring)) })
	step("a duplicate with another condition is not ignored", func() {
		_, err := write(keys{closing(24)}, nil, ignoring)
		var refused sdk.FgaApiError
		must(errors.As(err, &refused) && refused.ResponseStatusCode() == 409, "%T: %v", err, err)
	})
	step("delete what is not there", func() {
		_, err := fga.DeleteTuples(ctx).Body(bare{without(doc("2"))}).Execute()
		invalid(err, sdk.ERRORCODE_WRITE_FAILED_DUE_TO_INVALID_INPUT)
	})
	step("ignore a missing tuple", func() { ok(write(nil, bare{without(doc("1")), without(doc("2"))}, ignoring)) })
	step("write and delete at once", func() {
		ok(fga.WriteTuples(ctx).Body(keys{doc("3")}).Execute())
		ok(write(keys{doc("4")}, bare{without(doc("3"))}, plain))
		same(read("user:bulk", "", "document:"), []string{text(doc("4"))})
	})
	step("a tuple that the model refuses", func() {
		_, err := fga.WriteTuples(ctx).Body(keys{tuple("folder:x", "owner", "document:x")}).Execute()
		invalid(err, sdk.ERRORCODE_VALIDATION_ERROR)
	})
	step("a tuple twice in one write", func() {
		_, err := write(keys{doc("5"), doc("5")}, nil, plain)
		invalid(err, sdk.ERRORCODE_CANNOT_ALLOW_DUPLICATE_TUPLES_IN_ONE_REQUEST)
	})
	step("write without a transaction", func() {
		apart := client.ClientWriteOptions{Transaction: &client.TransactionOptions{Disable: true}}
		reply := ok(write(keys{doc("5"), tuples[0], doc("6")}, bare{without(doc("4")), without(doc("none"))}, apart))
		found := map[string]client.ClientWriteStatus{}
		for _, one := range reply.Writes {
			found[text(one.TupleKey)] = one.Status
			if one.Status == client.FAILURE {
				invalid(one.Error, sdk.ERRORCODE_WRITE_FAILED_DUE_TO_INVALID_INPUT)
			}
		}
		for _, one := range reply.Deletes {
			found[one.TupleKey.Object] = one.Status
		}
		same(found, map[string]client.ClientWriteStatus{
			text(doc("5")): client.SUCCESS, text(tuples[0]): client.FAILURE, text(doc("6")): client.SUCCESS,
			"document:4": client.SUCCESS, "document:none": client.FAILURE,
		})
	})
	step("write in chunks, duplicates ignored", func() {
		chunks := client.TransactionOptions{Disable: true, MaxPerChunk: 2, MaxParallelRequests: 2}
		options := client.ClientWriteOptions{Transaction: &chunks, Conflict: ignore}
		reply := ok(write(keys{doc("5"), doc("6"), doc("7"), doc("8"), doc("9")}, nil, options))
		same(len(reply.Writes), 5)
		for _, one := range reply.Writes {
			same(one.Status, client.SUCCESS)
		}
	})
}

func checks() {
	step("check: allow", func() {
		allowed("user:cid", "owner", "document:roadmap", true)
		allowed("user:ann", "can_read", "document:roadmap", true)
		allowed("user:bob", "can_read", "document:roadmap", true)
		allowed("user:anyone", "viewer", "document:notice", true)
		allowed("group:staff#member", "viewer", "document:roadmap", true)
	})
	step("check: deny", func() {
		allowed("user:ann", "owner", "document:roadmap", false)
		allowed("user:dan", "can_read", "document:roadmap", false)
		allowed("user:dan", "viewer", "document:roadmap", true)
		allowed("user:zoe", "viewer", "document:nothing", false)
	})
	step("check: consistency and an older model", func() {
		consistency := sdk.CONSISTENCYPREFERENCE_HIGHER_CONSISTENCY
		options := client.ClientCheckOptions{Consistency: &consistency, AuthorizationModelId: &first}
		same(ok(check("user:ann", "can_read", "document:roadmap", client.ClientCheckRequest{}, options)), true)
	})
	step("check: contextual tuples", func() {
		guest := client.ClientCheckRequest{ContextualTuples: keys{tuple("user:zoe", "member", "group:all")}}
		allowed("user:zoe", "can_read", "document:roadmap", true, guest)
		allowed("user:zoe", "can_read", "document:roadmap", false)
	})
	step("check: condition", func() {
		allowed("user:eve", "viewer", "document:budget", true, client.ClientCheckRequest{Context: &object{"hour": 9}})
		allowed("user:eve", "viewer", "document:budget", false, client.ClientCheckRequest{Context: &object{"hour": 18}})
		_, err := check("user:eve", "viewer", "document:budget", client.ClientCheckRequest{}, client.ClientCheckOptions{})
		invalid(err, sdk.ERRORCODE_VALIDATION_ERROR)
	})
	step("check: no such relation", func() {
		_, err := check("user:ann", "none", "document:roadmap", client.ClientCheckRequest{}, client.ClientCheckOptions{})
		invalid(err, sdk.ERRORCODE_VALIDATION_ERROR)
	})
	step("batch check", func() {
		day, night := object{"hour": 9}, object{"hour": 20}
		guest := keys{tuple("user:zoe", "viewer", "folder:plans")}
		items := []client.ClientBatchCheckItem{
			{User: "user:ann", Relation: "can_read", Object: "document:roadmap", CorrelationId: "allow"},
			{User: "user:dan", Relation: "can_read", Object: "document:roadmap", CorrelationId: "deny"},
			{User: "user:eve", Relation: "viewer", Object: "document:budget", CorrelationId: "open", Context: &day},
			{User: "user:eve", Relation: "viewer", Object: "document:budget", CorrelationId: "closed", Context: &night},
			{User: "user:zoe", Relation: "viewer", Object: "folder:plans", CorrelationId: "contextual", ContextualTuples: guest},
			{User: "user:ann", Relation: "none", Object: "document:roadmap", CorrelationId: "wrong"},
		}
		options := client.BatchCheckOptions{MaxBatchSize: sdk.PtrInt32(4)}
		reply := ok(fga.BatchCheck(ctx).Body(client.ClientBatchCheckRequest{Checks: items}).Options(options).Execute())
		answers := object{}
		for id, one := range reply.GetResult() {
			if answers[id] = one.GetAllowed(); one.Error != nil {
				answers[id] = *one.Error.InputError
			}
		}
		same(answers, object{
			"allow": true, "deny": false, "open": true, "closed": false, "contextual": true,
			"wrong": sdk.ERRORCODE_VALIDATION_ERROR,
		})
	})
	step("batch check of many in parallel", func() {
		var items []client.ClientBatchCheckItem
		for i := range 120 {
			user := []string{"ann", "dan"}[i%2]
			item := client.ClientBatchCheckItem{User: "user:" + user, Relation: "can_read", Object: "document:roadmap"}
			item.CorrelationId = fmt.Sprintf("%s-%d", user, i)
			items = append(items, item)
		}
		result := ok(fga.BatchCheck(ctx).Body(client.ClientBatchCheckRequest{Checks: items}).Execute()).GetResult()
		same(len(result), 120)
		for id, one := range result {
			same(one.GetAllowed(), strings.HasPrefix(id, "ann"))
		}
	})
	step("list relations", func() {
		relations := []string{"owner", "viewer", "can_read", "blocked"}
		body := client.ClientListRelationsRequest{User: "user:dan", Object: "document:roadmap", Relations: relations}
		same(sorted(ok(fga.ListRelations(ctx).Body(body).Execute()).Relations), []string{"blocked", "viewer"})
	})
}

func lists() {
	step("list objects", func() {
		ann := client.ClientListObjectsRequest{User: "user:ann", Relation: "can_read", Type: "document"}
		same(listed(ann), []string{"document:notice", "document:roadmap"})
		eve := client.ClientListObjectsRequest{User: "user:eve", Relation: "viewer", Type: "document"}
		eve.Context, eve.ContextualTuples = &object{"hour": 9}, keys{tuple("user:eve", "owner", "document:diary")}
		same(listed(eve), []string{"document:budget", "document:diary", "document:notice"})
		ann.Type = "planet"
		_, err := fga.ListObjects(ctx).Body(ann).Execute()
		invalid(err, sdk.ERRORCODE_TYPE_NOT_FOUND)
	})
	step("streamed list objects", func() {
		bulk := client.ClientStreamedListObjectsRequest{User: "user:bulk", Relation: "viewer", Type: "document"}
		expected := each([]string{"5", "6", "7", "8", "9", "notice"}, func(id string) string { return "document:" + id })
		same(ok(streamed(bulk)), expected)
		eve := client.ClientStreamedListObjectsRequest{User: "user:eve", Relation: "viewer", Type: "document"}
		eve.Context = &object{"hour": 20}
		same(ok(streamed(eve)), []string{"document:notice"})
		bulk.Relation = "none"
		_, err := streamed(bulk)
		must(err != nil, "expected an error")
	})
	step("list users", func() {
		none := client.ClientListUsersRequest{}
		same(users("roadmap", "can_read", "user", "", none), []string{"user:ann", "user:bob", "user:cid"})
		same(users("roadmap", "viewer", "group", "member", none), []string{"group:all#member", "group:staff#member"})
		same(users("notice", "viewer", "user", "", none), []string{"user:*"})
	})
	step("list users with context", func() {
		more := client.ClientListUsersRequest{Context: &object{"hour": 9}}
		more.ContextualTuples = keys{tuple("user:zoe", "owner", "document:budget")}
		same(users("budget", "viewer", "user", "", more), []string{"user:eve", "user:zoe"})
	})
	step("expand", func() {
		expand := func(relation string) *sdk.Node {
			body := client.ClientExpandRequest{Relation: relation, Object: "document:roadmap"}
			return ok(fga.Expand(ctx).Body(body).Execute()).Tree.Root
		}
		root := expand("viewer")
		same(root.Name, "document:roadmap#viewer")
		same(len(root.Union.Nodes), 3)
		same(root.Union.Nodes[0].Leaf.Users.Users, []string{"group:all#member"})
		same(root.Union.Nodes[1].Leaf.Computed.Userset, "document:roadmap#owner")
		parent := root.Union.Nodes[2].Leaf.TupleToUserset
		same(parent.Tupleset, "document:roadmap#parent")
		same(parent.Computed, []sdk.Computed{{Userset: "folder:plans#viewer"}})
		difference := expand("can_read").Difference
		same(difference.Base.Leaf.Computed.Userset, "document:roadmap#viewer")
		same(difference.Subtract.Leaf.Computed.Userset, "document:roadmap#blocked")
	})
}

func reads() {
	step("read", func() {
		body := client.ClientReadRequest{Object: sdk.PtrString("document:budget")}
		found := ok(fga.Read(ctx).Body(body).Execute()).Tuples
		same(len(found), 1)
		same(found[0].Key.Condition.Name, "before_closing")
		same(*found[0].Key.Condition.Context, object{"closes": 18.0})
		must(!found[0].Timestamp.IsZero(), "a time")
		same(read("user:dan", "blocked", "document:"), []string{"document:roadmap#blocked@user:dan"})
	})
	step("read by page", func() {
		found, pages := paged(func(token *string) ([]sdk.Tuple, string) {
			options := client.ClientReadOptions{PageSize: sdk.PtrInt32(4), ContinuationToken: token}
			page := ok(fga.Read(ctx).Body(client.ClientReadRequest{}).Options(options).Execute())
			return page.Tuples, page.ContinuationToken
		})
		expected := append(each(tuples, text), each(keys{doc("5"), doc("6"), doc("7"), doc("8"), doc("9")}, text)...)
		same(sorted(each(found, func(one sdk.Tuple) string { return text(one.Key) })), sorted(expected))
		same(pages, 4)
	})
	step("read with a wrong token", func() {
		options := client.ClientReadOptions{ContinuationToken: sdk.PtrString("nonsense")}
		_, err := fga.Read(ctx).Body(client.ClientReadRequest{}).Options(options).Execute()
		invalid(err, sdk.ERRORCODE_INVALID_CONTINUATION_TOKEN)
	})
	step("read changes by page", func() {
		documentsOnly := client.ClientReadChangesRequest{Type: "document"}
		options := client.ClientReadChangesOptions{PageSize: sdk.PtrInt32(3)}
		written, deleted := 0, []string{}
		for {
			page := ok(fga.ReadChanges(ctx).Body(documentsOnly).Options(options).Execute())
			must(len(page.Changes) <= 3, "page of %d", len(page.Changes))
			if len(page.Changes) == 0 {
				same(page.GetContinuationToken(), *options.ContinuationToken)
				break
			}
			for _, change := range page.Changes {
				must(!change.Timestamp.IsZero(), "a time")
				if change.Operation == sdk.TUPLEOPERATION_WRITE {
					written++
				} else {
					deleted = append(deleted, change.TupleKey.Object)
				}
			}
			options.ContinuationToken = page.ContinuationToken
		}
		same(written, 6+documents)
		same(sorted(deleted), []string{"document:1", "document:3", "document:4"})
		_, err := fga.ReadChanges(ctx).Body(client.ClientReadChangesRequest{Type: "group"}).Options(options).Execute()
		invalid(err, sdk.ERRORCODE_QUERY_STRING_TYPE_CONTINUATION_TOKEN_MISMATCH)
	})
	step("read changes of all types, and since a time", func() {
		options := client.ClientReadChangesOptions{PageSize: sdk.PtrInt32(100)}
		found := ok(fga.ReadChanges(ctx).Body(client.ClientReadChangesRequest{}).Options(options).Execute()).Changes
		same(len(found), len(tuples)+documents+3)
		shown := each(found[:10], func(one sdk.TupleChange) string { return text(one.TupleKey) })
		same(sorted(shown), sorted(each(tuples, text)))
		later := client.ClientReadChangesRequest{Type: "group", StartTime: time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC)}
		same(len(ok(fga.ReadChanges(ctx).Body(later).Execute()).Changes), 0)
	})
}

func ends() {
	step("assertions", func() {
		same(len(ok(fga.ReadAssertions(ctx).Execute()).GetAssertions()), 0)
		asserted := client.ClientWriteAssertionsRequest{
			{User: "user:ann", Relation: "can_read", Object: "document:roadmap", Expectation: true},
			{User: "user:zoe", Relation: "viewer", Object: "document:budget", Expectation: false,
				Context: &object{"hour": 9.0}, ContextualTuples: keys{tuple("user:zoe", "owner", "document:other")}},
		}
		ok(fga.WriteAssertions(ctx).Body(asserted).Execute())
		found := ok(fga.ReadAssertions(ctx).Execute())
		same(found.AuthorizationModelId, second)
		same(len(found.GetAssertions()), 2)
		for i, one := range found.GetAssertions() {
			same(one.TupleKey, asserted[i].ToAssertion().TupleKey)
			same(one.Expectation, asserted[i].Expectation)
		}
		same(found.GetAssertions()[1].GetContext(), *asserted[1].Context)
		same(found.GetAssertions()[1].GetContextualTuples(), asserted[1].ContextualTuples)
	})
	step("delete tuples", func() {
		ok(fga.DeleteTuples(ctx).Body(bare{without(tuples[0])}).Execute())
		allowed("user:ann", "can_read", "document:roadmap", false)
	})
	step("delete store", func() {
		ok(fga.DeleteStore(ctx).Execute())
		_, err := fga.GetStore(ctx).Execute()
		missing(err)
		left := ok(fga.ListStores(ctx).Options(client.ClientListStoresOptions{Name: &name}).Execute())
		same(len(left.Stores), 0)
		ok(fga.DeleteStore(ctx).Execute())
	})
}
