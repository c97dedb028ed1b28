"""How much one operation may ask for.

Each field costs one, and what stands below a list costs as often as the list may be long, which is its `first`. A
mutation and an introspection cost more, for what they do is more. Depth counts fields from the root to the leaf.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, NamedTuple, cast

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLCompositeType,
    GraphQLError,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    NamedTypeNode,
    OperationDefinitionNode,
    OperationType,
    SelectionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_list_type,
    parse,
    specified_rules,
)
from strawberry.extensions import SchemaExtension
from strawberry.schema.schema import validate_document

from portal.graphql.errors import RefusedError
from portal.settings import Settings

MAX_FIRST = 100
"""The most rows one list may be asked for."""
MAX_ALIASES = 20
"""How often one operation may give a field a name of its own."""
MAX_TOKENS = 1_000
"""The longest document that is read; the time and memory it takes grow with its tokens."""
MUTATION_COST = 100
"""What a mutation costs besides its fields."""
INTROSPECTION_COST = 500
"""What an introspection costs besides its fields."""

_DOCUMENTS = 64


class Size(NamedTuple):
    """How large a selection is."""

    depth: int = 0
    cost: int = 0
    aliases: int = 0
    width: int = 0
    """Fields side by side at its top."""


class Limits(SchemaExtension):
    """Reads a document once, however often it comes, and refuses an operation that is too large."""

    def on_parse(self) -> Iterator[None]:
        """Parse, or remember."""
        self.execution_context.parse_options["max_tokens"] = MAX_TOKENS
        with suppress(GraphQLError):  # then it is parsed once more by strawberry, which tells the error in its place
            self.execution_context.graphql_document, _ = self._read()
        yield

    def on_validate(self) -> Iterator[None]:
        """Tell what validation found, and when it found nothing, measure."""
        context = self.execution_context
        document, errors = self._read()
        context.pre_execution_errors = list(errors)
        if not errors:
            try:
                # Not context.operation_name, which takes the first of several (GraphQL, section 6.1, takes none).
                name = context._provided_operation_name
                size = Measure(context.schema._schema, document, context.variables or {}).size(name)
                _check(size, context.context.services.settings)
            except RefusedError as error:
                context.pre_execution_errors = [error]
        yield

    def _read(self) -> tuple[DocumentNode, tuple[GraphQLError, ...]]:
        return _read(self.execution_context.schema._schema, self.execution_context.query or "")


class Measure:
    """Measures the operations of one valid document."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, Any]) -> None:
        self._schema = schema
        self._operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
        self._fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self._variables = dict(variables)
        self._measured: dict[tuple[str, int], Size] = {}  # or fragments that spread each other would double each time

    def size(self, operation_name: str | None) -> Size:
        """Measure one operation; where there are several, it must be named."""
        if operation_name is None and len(self._operations) > 1:
            raise RefusedError("INVALID", "the query holds several operations: name one as operationName")
        operation = next(
            node
            for node in self._operations
            if operation_name is None or (node.name and node.name.value == operation_name)
        )
        for definition in operation.variable_definitions or ():
            if isinstance(definition.default_value, IntValueNode):
                self._variables.setdefault(definition.variable.name.value, definition.default_value.value)
        root = self._schema.get_root_type(operation.operation)
        assert root is not None  # noqa: S101 (the document is valid)
        size = self._selections(operation.selection_set, root, 1)
        if operation.operation is OperationType.MUTATION:
            return size._replace(cost=size.cost + size.width * MUTATION_COST)
        return size

    def _selections(self, selections: SelectionSetNode, parent: GraphQLCompositeType, first: int) -> Size:
        sizes = [self._selection(node, parent, first) for node in selections.selections]
        return Size(
            depth=max(size.depth for size in sizes),
            cost=sum(size.cost for size in sizes),
            aliases=sum(size.aliases for size in sizes),
            width=sum(size.width for size in sizes),
        )

    def _selection(self, node: SelectionNode, parent: GraphQLCompositeType, first: int) -> Size:
        if isinstance(node, FieldNode):
            return self._field(node, parent, first)
        if isinstance(node, InlineFragmentNode):
            return self._selections(node.selection_set, self._type(node.type_condition, parent), first)
        assert isinstance(node, FragmentSpreadNode)  # noqa: S101 (there is no other selection)
        name = node.name.value
        if (name, first) not in self._measured:
            fragment = self._fragments[name]
            below = self._type(fragment.type_condition, parent)
            self._measured[name, first] = self._selections(fragment.selection_set, below, first)
        return self._measured[name, first]

    def _field(self, node: FieldNode, parent: GraphQLCompositeType, first: int) -> Size:
        name = node.name.value
        field = self._schema.get_field(parent, name)
        assert field is not None  # noqa: S101 (the document is valid)
        if "first" in field.args:
            first = self._first(node, field.args["first"].default_value)
        below = Size()
        if node.selection_set is not None:
            named = get_named_type(field.type)
            below = self._selections(node.selection_set, cast("GraphQLCompositeType", named), first)
        introspects = name in ("__schema", "__type")  # whose own depth is bounded by a rule of validation
        times = first if is_list_type(get_nullable_type(field.type)) else 1
        return Size(
            depth=1 if introspects else 1 + below.depth,
            cost=1 + times * below.cost + (INTROSPECTION_COST if introspects else 0),
            aliases=below.aliases + (node.alias is not None),
            width=1,
        )

    def _first(self, node: FieldNode, default: int) -> int:
        value = next((argument.value for argument in node.arguments or () if argument.name.value == "first"), None)
        given: Any = default
        if isinstance(value, VariableNode):
            given = self._variables.get(value.name.value, default)
        elif isinstance(value, IntValueNode):
            given = value.value
        try:
            first = int(given)  # 5.0 is an Int too where a variable holds it
        except (TypeError, ValueError, OverflowError):
            return default  # no Int, so the operation is refused before it starts
        if not 1 <= first <= MAX_FIRST:
            raise RefusedError("INVALID", f"first: 1 to {MAX_FIRST} was expected, not {first}")
        return first

    def _type(self, condition: NamedTypeNode | None, parent: GraphQLCompositeType) -> GraphQLCompositeType:
        return cast("GraphQLCompositeType", self._schema.type_map[condition.name.value]) if condition else parent


@lru_cache(_DOCUMENTS)
def _read(schema: GraphQLSchema, query: str) -> tuple[DocumentNode, tuple[GraphQLError, ...]]:
    document = parse(query, max_tokens=MAX_TOKENS)
    return document, tuple(validate_document(schema, document, tuple(specified_rules)))


def _check(size: Size, settings: Settings) -> None:
    if size.depth > settings.graphql_depth:
        raise RefusedError(
            "TOO_DEEP", f"the operation is {size.depth} fields deep, and {settings.graphql_depth} are allowed"
        )
    if size.cost > settings.graphql_cost:
        raise RefusedError(
            "TOO_COSTLY",
            f"the operation may cost {size.cost}, and {settings.graphql_cost} are allowed: ask for less",
        )
    if size.aliases > MAX_ALIASES:
        raise RefusedError("TOO_COSTLY", f"the operation has {size.aliases} aliases, and {MAX_ALIASES} are allowed")
