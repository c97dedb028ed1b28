"""The schema: what there is, put together."""

import strawberry
from graphql import GraphQLError
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext

from portal.graphql.errors import told
from portal.graphql.limits import Limits
from portal.graphql.mutations import Mutation
from portal.graphql.queries import Query
from portal.graphql.subscriptions import Subscription
from portal.graphql.types import Long


class Schema(strawberry.Schema):
    """A schema whose errors tell the client what is the client's to know."""

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Replace each error by what may be told of it, before it leaves by whichever way."""
        errors[:] = [told(error) for error in errors]


schema = Schema(
    Query,
    Mutation,
    Subscription,
    extensions=[Limits],
    config=StrawberryConfig(
        scalar_map={
            Long: strawberry.scalar(
                name="Long", description="A whole number of up to 64 bits.", serialize=int, parse_value=int
            )
        }
    ),
)
"""The portal's schema."""
