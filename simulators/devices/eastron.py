"""Input registers of an Eastron SDM120 and SDM630: float32, energy in kWh; the serial number is in holding registers.

References:
    Register lists as the open-source reader mbmd uses them: V 0x00, A 0x06, phase power 0x0C, power of the SDM630
    0x34, frequency 0x46, energy import 0x48 and export 0x4A. Serial number 0xFC00, two registers, function 3. At most
    80 registers a request, more is answered with an exception whose code is not told; users report some 60 ms until an
    answer.
"""

from simulators.devices.table import CURRENT, POWER, VOLTAGE, Row, SerialNumber, Sheet, Source, phases

_SLOW = Source("users of Eastron meters, as open-source readers tell")
_MOST = Source("Eastron, Modbus protocol of the SDM meters: 40 parameters of two registers")
_SHARED = (
    Row(0x46, "f32", "frequency_hz"),
    Row(0x48, "f32", "energy_import_total_wh", 1000),
    Row(0x4A, "f32", "energy_export_total_wh", 1000),
)

SDM630 = Sheet(
    make="Eastron",
    model="SDM630",
    function=4,
    rows=(
        *phases(0x00, "f32", VOLTAGE),
        *phases(0x06, "f32", CURRENT),
        *phases(0x0C, "f32", POWER),
        Row(0x34, "f32", "active_power_w"),
        *_SHARED,
    ),
    blanks=((0x00, 0x50),),
    serials=(SerialNumber(0xFC00),),
    also=3,
    response_s=0.06,
    response_source=_SLOW,
    most_registers=80,
    most_source=_MOST,
)
SDM120 = Sheet(
    make="Eastron",
    model="SDM120",
    function=4,
    rows=(
        Row(0x00, "f32", "voltage_l1_v"),
        Row(0x06, "f32", "current_l1_a"),
        Row(0x0C, "f32", "active_power_w"),
        *_SHARED,
    ),
    blanks=((0x00, 0x50),),
    serials=(SerialNumber(0xFC00),),
    also=3,
    response_s=0.06,
    response_source=_SLOW,
    most_registers=80,
    most_source=_MOST,
)
