from django.http import JsonResponse
from django.shortcuts import get_object_or_404, render

from notes.models import Note


def index(request):
    return render(request, "notes/index.html", {"notes": Note.objects.order_by("due")})


def detail(request, number):
    return render(request, "notes/detail.html", {"note": get_object_or_404(Note, pk=number)})


def as_json(request):
    return JsonResponse({"notes": list(Note.objects.order_by("pk").values("id", "title", "due"))})
