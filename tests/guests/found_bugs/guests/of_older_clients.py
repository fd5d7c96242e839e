"""Clients of HTTP whose transports also run with versions that are some years old."""

import asyncio

from sim.guests import transports

LIBRARY = "urllib3"
URL = "https://service/"


def by_urllib3(call):
    import urllib3

    policy = urllib3.Retry(total=3, status_forcelist=[503], backoff_factor=1)
    http = transports.urllib3.manager(
        call, answers={"failed": 503, "failed.reset": ConnectionResetError}, retries=policy
    )
    return http.request("GET", URL, timeout=urllib3.Timeout(connect=1, read=5)).status


def by_requests(call):
    import requests
    import urllib3

    policy = urllib3.Retry(total=3, status_forcelist=[503], backoff_factor=1)
    answers = {"failed": 503, "failed.reset": ConnectionResetError}
    with requests.Session() as session:
        session.mount("https://", transports.requests.adapter(call, answers=answers, max_retries=policy))
        session.get(URL, timeout=5).raise_for_status()


def by_botocore(call):
    from botocore.config import Config

    config = Config(read_timeout=5, retries={"mode": "standard", "total_max_attempts": 5})
    answers = {"failed": 503, "failed.reset": ConnectionResetError}
    transports.botocore.client("s3", call, answers=answers, config=config).list_buckets()


async def by_aiohttp(call):
    import aiohttp

    timeout = aiohttp.ClientTimeout(sock_read=5)
    connector = transports.aiohttp.connector(call, answers={"failed": 503, "failed.reset": aiohttp.ClientPayloadError})
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        for wait in (0, 2, 4, 8):
            await asyncio.sleep(wait)
            try:
                async with session.get(URL, raise_for_status=True):
                    return
            except (TimeoutError, aiohttp.ClientError):
                continue
