"""OTLP's messages of opentelemetry-proto, read by upb in C, but for attributes: these stay bytes.

A message object for each of a batch's 50,000 attributes is what reading it would cost; as bytes
they are told apart by events.wire.otlp_attributes, which knows most of them already.
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError as ProtobufError
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from events.event import DecodeError

_pool = descriptor_pool.DescriptorPool()


def _adopt(module: Any) -> None:
    file = descriptor_pb2.FileDescriptorProto()
    module.DESCRIPTOR.CopyToProto(file)
    waiting = list(file.message_type)
    while waiting:
        message = waiting.pop()
        waiting += message.nested_type
        for field in message.field:
            if field.name == "attributes":
                field.type = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
                field.ClearField("type_name")
    _pool.Add(file)


for _module in (common_pb2, resource_pb2, trace_pb2, logs_pb2):
    _adopt(_module)


def _message(name: str) -> Any:
    found = _pool.FindMessageTypeByName(f"opentelemetry.proto.{name}")
    return message_factory.GetMessageClass(found)


Resource = _message("resource.v1.Resource")
ScopeSpans = _message("trace.v1.ScopeSpans")
ScopeLogs = _message("logs.v1.ScopeLogs")
Status = _message("trace.v1.Status")
KeyValue = common_pb2.KeyValue  # whole, for an attribute that is told by nothing else


def parsed(message: Any, body: bytes) -> Any:
    """The message in a body. Raises DecodeError."""
    try:
        return message.FromString(body)
    except ProtobufError as error:
        raise DecodeError(f"The body is not {message.DESCRIPTOR.full_name}: {error}.") from None
