from contextlib import asynccontextmanager
from enum import Enum
from pathlib import Path

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates
from pydantic import BaseModel, Field

from weather.towns import read_towns

HERE = Path(__file__).parent
templates = Jinja2Templates(directory=HERE / "templates")


class Unit(str, Enum):
    celsius = "C"
    fahrenheit = "F"


class Report(BaseModel):
    town: str
    temperature: float = Field(description="in the unit that was asked for")
    unit: Unit


@asynccontextmanager
async def lifespan(app: FastAPI):
    app.state.towns = read_towns()
    yield


app = FastAPI(title="Weather", version="1.0", lifespan=lifespan)
app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")


@app.get("/", response_class=HTMLResponse)
def index(request: Request):
    return templates.TemplateResponse(request, "index.html", {"towns": request.app.state.towns})


@app.get("/api/towns")
async def towns(request: Request) -> list[str]:
    return sorted(request.app.state.towns)


@app.get("/api/towns/{name}")
async def report(request: Request, name: str, unit: Unit = Unit.celsius) -> Report:
    found = request.app.state.towns.get(name)
    if found is None:
        raise HTTPException(404, f"there is no town {name}")
    value = found if unit is Unit.celsius else found * 9 / 5 + 32
    return Report(town=name, temperature=value, unit=unit)
