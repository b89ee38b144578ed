"""What operators ask besides namespaces and search attributes."""

from temporalio.api.operatorservice.v1 import request_response_pb2 as operator

from perdure.protocols.temporal.calls import Call, Methods
from perdure.protocols.temporal.service_system import CLUSTER, CLUSTER_ID

operator_methods = Methods()


@operator_methods.add
async def list_clusters(call: Call, request: operator.ListClustersRequest) -> operator.ListClustersResponse:
    """The one that there is."""
    return operator.ListClustersResponse(
        clusters=[
            operator.ClusterMetadata(
                cluster_name=CLUSTER,
                cluster_id=CLUSTER_ID,
                initial_failover_version=1,
                history_shard_count=1,
                is_connection_enabled=True,
            )
        ]
    )
