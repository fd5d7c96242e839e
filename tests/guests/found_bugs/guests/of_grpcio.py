"""A call by a channel of gRPC, whose retries and timers are in a core of C++."""

import grpc

LIBRARY = "grpc"


def ask(call):
    del call
    with grpc.insecure_channel("127.0.0.1:9") as channel:
        return channel.unary_unary("/service/Method")(b"", timeout=1)


async def ask_later(call):
    del call
    async with grpc.aio.insecure_channel("127.0.0.1:9") as channel:
        return await channel.unary_unary("/service/Method")(b"", timeout=1)
