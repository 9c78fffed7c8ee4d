"""The few answers of a Snipe-IT that cairn-sync needs, from memory: ``python -m bench.others.snipe_it PORT``.

It answers faster than a real Snipe-IT would, which is in cairn's favour.
"""

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

assets: dict[str, dict[str, object]] = {}
by_id: dict[int, dict[str, object]] = {}


async def search(request: Request) -> JSONResponse:
    found = assets.get(request.query_params.get("search", "").strip().upper())
    return JSONResponse({"rows": [found] if found else []})


async def create(request: Request) -> JSONResponse:
    asset = {**await request.json(), "id": len(by_id) + 1}
    by_id[len(by_id) + 1] = assets[str(asset["serial"]).strip().upper()] = asset
    return JSONResponse({"status": "success", "payload": asset})


async def replace(request: Request) -> JSONResponse:
    by_id[request.path_params["id"]].update(await request.json())
    return JSONResponse({"status": "success"})


async def models(_: Request) -> JSONResponse:
    return JSONResponse({"rows": [{"id": 1}]})


if __name__ == "__main__":
    application = Starlette(
        routes=[
            Route("/api/v1/hardware", search),
            Route("/api/v1/hardware", create, methods=["POST"]),
            Route("/api/v1/hardware/{id:int}", replace, methods=["PUT"]),
            Route("/api/v1/models", models),
        ]
    )
    uvicorn.run(application, host="127.0.0.1", port=int(sys.argv[1]), log_level="error", access_log=False)
