"""Whether a GraphQL answer has the shape that its operation selects and its schema promises."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from graphql import (
    BooleanValueNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLEnumType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    OperationDefinitionNode,
    SchemaMetaFieldDef,
    SelectionSetNode,
    TypeMetaFieldDef,
)

__all__ = ["Selection"]

Value = Any
Composite = GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType
Asked = dict[str, tuple[Any, list[SelectionSetNode]]]


class Selection:
    """One operation, and the answers to it.

    Args:
        schema: of the API.
        document: what was sent, valid by that schema.
        operation: the one of the document that was meant.
        variables: that were sent with it.

    """

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        variables: Mapping[str, Any],
    ) -> None:
        self._schema = schema
        self._fragments = {
            each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)
        }
        defaults = {
            each.variable.name.value: each.default_value.value
            for each in operation.variable_definitions or ()
            if isinstance(each.default_value, BooleanValueNode)
        }
        self._variables = {**defaults, **variables}
        self._found: dict[tuple[object, ...], Asked] = {}

    def broken(self, promised: Any, value: Value, sets: Sequence[SelectionSetNode], place: str) -> str | None:
        """What of a value is not as its type and its selections promise, by place and without any value."""
        if isinstance(promised, GraphQLNonNull):
            if value is None:
                return f"{place}: null, where {promised} is promised"
            promised = promised.of_type
        if value is None:
            return None
        if isinstance(promised, GraphQLList):
            if not isinstance(value, list):
                return f"{place}: the value is no list"
            found = (self.broken(promised.of_type, each, sets, f"{place}.*") for each in value)
            return next(filter(None, found), None)
        if isinstance(promised, Composite):
            if not isinstance(value, dict):
                return f"{place}: the value is no object"
            return self._object(promised, value, sets, place)
        return None if _is_leaf(promised, value) else f"{place}: the value is no {promised}"

    def _object(
        self,
        promised: Composite,
        value: Mapping[str, Value],
        sets: Sequence[SelectionSetNode],
        place: str,
    ) -> str | None:
        if isinstance(promised, GraphQLObjectType):
            return self._fields(promised, value, sets, place)
        possible = {each.name: each for each in self._schema.get_possible_types(promised)}
        named = value.get("__typename")
        if isinstance(named, str) and named in possible:
            return self._fields(possible[named], value, sets, place)
        if any(self._fields(each, value, sets, place) is None for each in possible.values()):
            return None
        return f"{place}: the value is no {promised}"

    def _fields(
        self, promised: GraphQLObjectType, value: Mapping[str, Value], sets: Sequence[SelectionSetNode], place: str
    ) -> str | None:
        asked = self._asked(promised, sets)
        for name, (kind, within) in asked.items():
            if name not in value:
                return f"{place}.{name} is missing"
            if kind is not None:
                said = self.broken(kind, value[name], within, f"{place}.{name}")
            else:
                said = None if value[name] == promised.name else f"{place}.{name}: the value is not {promised.name}"
            if said:
                return said
        return f"{place} holds a field that was not asked for" if len(value) > len(asked) else None

    def _asked(self, promised: GraphQLObjectType, sets: Sequence[SelectionSetNode]) -> Asked:
        """Type and nested selections of each name in the answer; ``__typename`` has no type. Found once for a list."""
        known = (promised.name, *map(id, sets))
        if known not in self._found:
            fields: dict[str, list[FieldNode]] = {}
            for each in sets:
                for node in self._collected(promised, each):
                    fields.setdefault((node.alias or node.name).value, []).append(node)
            self._found[known] = {
                name: (
                    self._type_of(promised, nodes[0].name.value),
                    [node.selection_set for node in nodes if node.selection_set],
                )
                for name, nodes in fields.items()
            }
        return self._found[known]

    def _type_of(self, parent: GraphQLObjectType, field: str) -> Any:
        if field == "__typename":
            return None
        meta = {"__schema": SchemaMetaFieldDef, "__type": TypeMetaFieldDef}
        return (meta.get(field) or parent.fields[field]).type

    def _collected(self, concrete: GraphQLObjectType, selections: SelectionSetNode) -> Iterator[FieldNode]:
        """The fields that apply to a concrete type (GraphQL, section 6.3.2)."""
        for node in selections.selections:
            if not self._included(node.directives):
                continue
            if isinstance(node, FieldNode):
                yield node
                continue
            fragment: Any = self._fragments[node.name.value] if isinstance(node, FragmentSpreadNode) else node
            condition = fragment.type_condition
            if condition is None or self._applies(concrete, condition.name.value):
                yield from self._collected(concrete, fragment.selection_set)

    def _applies(self, concrete: GraphQLObjectType, name: str) -> bool:
        condition: Any = self._schema.type_map[name]
        return condition is concrete or (
            isinstance(condition, GraphQLInterfaceType | GraphQLUnionType)
            and self._schema.is_sub_type(condition, concrete)
        )

    def _included(self, directives: Sequence[DirectiveNode] | None) -> bool:
        for directive in directives or ():
            if (name := directive.name.value) in ("skip", "include"):
                given: Any = (directive.arguments or ())[0].value
                holds = given.value if isinstance(given, BooleanValueNode) else self._variables.get(given.name.value)
                if bool(holds) is (name == "skip"):
                    return False
        return True


def _is_leaf(promised: Any, value: Value) -> bool:
    """Whether a value is one of an enum, or a scalar as JSON has it (section 3.5); an API's own scalar may be all."""
    if isinstance(promised, GraphQLEnumType):
        return isinstance(value, str) and value in promised.values
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    match promised.name:
        case "Int":
            return number and value == int(value) and -(2**31) <= value < 2**31
        case "Float":
            return number
        case "String" | "ID":
            return isinstance(value, str)
        case "Boolean":
            return isinstance(value, bool)
    return True
