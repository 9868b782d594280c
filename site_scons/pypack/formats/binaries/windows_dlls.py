"""Which DLLs every Windows 10 and 11 has, so that no bundle need bring them."""

from __future__ import annotations

import re

# Documented DLLs of the system that programs link with (import libraries of the Windows SDK and of mingw-w64).
# Left out on purpose: the runtimes of Visual C++ (vcruntime140, msvcp140, concrt140, vcomp140, mfc140, msvcr120 and
# older), which a program has to bring; DirectX's d3dx9_*, xinput1_1 to 1_3 and x3daudio, which an installer brings;
# what some editions lack (Media Foundation's mf*.dll, in the N editions).
_WORDS = """
activeds advapi32 aclui adsldpc apphelp asycfilt authz avicap32 avifil32 avrt bcrypt bcryptprimitives
bluetoothapis bthprops.cpl cabinet certcli cfgmgr32 cldapi clusapi coremessaging combase comctl32 comdlg32
comsvcs credui crypt32 cryptbase cryptnet cryptui cryptxml cscapi d2d1 d3d10 d3d10_1 d3d11 d3d12 d3d8 d3d9
d3dcompiler_47 davclnt dbgeng dbghelp dciman32 dcomp ddraw devmgr devobj dhcpcsvc dhcpcsvc6 dhcpsapi dinput
dinput8 dnsapi dpapi dsound dsrole dssec dwmapi dwrite dxcore dxgi dxva2 eappcfg esent faultrep fltlib
fwpuclnt gdi32 gdi32full gdiplus glu32 gpapi hid hlink httpapi icm32 icmp icu icuin icuuc imagehlp imm32 inetcomm
iphlpapi kernel32 kernelbase ksuser ktmw32 loadperf logoncli lz32 mapi32 mgmtapi
mi mlang mmdevapi mpr mprapi msacm32 mscms mscoree mscorees msctf msdmo msdrm msftedit mshtml msi msimg32 mstask
msvcp_win msvcrt msvfw32 mswsock msxml3 msxml6 ncrypt ndfapi netapi32 netutils newdev ninput normaliz ntdll
ntdsapi ntlanman ntmarta ntquery odbc32 odbccp32 ole32 oleacc oleaut32 oledlg olepro32 opengl32 pdh powrprof
prntvpt propsys psapi query qwave rasapi32 rasdlg resutils riched20 riched32 rpcns4 rpcrt4 rstrtmgr rtm rtutils samcli
schannel sechost secur32 sensapi setupapi sfc sfc_os shcore shdocvw shell32 shfolder shlwapi slc snmpapi srvcli
sspicli sti sxs t2embed tapi32 tbs tdh traffic txfw32 ucrtbase uiautomationcore umpdc url urlmon usbceip user32
userenv usp10 uxtheme vdmdbg version virtdisk vssapi webservices websocket webauthn wecapi wer wevtapi wiaservc
win32u windows.storage windowscodecs winbrand winhttp wininet winhvplatform winmm winnsi winscard
winspool.drv winsta wintrust winusb wkscli wlanapi wldap32 wmiclnt wofutil ws2_32 wsclient wscapi wsdapi
wsnmp32 wsock32 wtsapi32 xaudio2_8 xaudio2_9 xinput1_4 xinput9_1_0 xinputuap xmllite
"""
_SYSTEM = frozenset(_WORDS.split())
_SETS = re.compile(r"(?:api|ext)-ms-[a-z0-9-]+")  # API sets: names that the loader itself resolves


def is_system(name: str) -> bool:
    """Say whether the DLL ``name`` (as an import table has it) is a part of every Windows 10 and 11."""
    stem = name.lower().removesuffix(".dll")
    return stem in _SYSTEM or bool(_SETS.fullmatch(stem))
