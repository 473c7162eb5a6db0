/* A Modbus server by libmodbus, for a gateway to read: the same registers as modbus_server.js beside it.

   modbus_server tcp PORT | modbus_server rtu PATH
   Prints "ready" when it listens and serves until it is killed. */

#include <errno.h>
#include <modbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { UNIT = 7, BAUD = 19200, REGISTERS = 1000 };

/* Not modbus_set_float_abcd and its kin: in libmodbus 3.1.6 they swap the bytes on a little-endian machine. */
static void put_float(uint16_t *registers, float value, int swap_words, int swap_bytes)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint16_t words[2] = {(uint16_t)(bits >> 16), (uint16_t)bits};
    for (int at = 0; at < 2; at++) {
        uint16_t word = words[at ^ swap_words];
        registers[at] = swap_bytes ? (uint16_t)(word << 8 | word >> 8) : word;
    }
}

static void fill(modbus_mapping_t *map)
{
    for (int at = 0; at < REGISTERS; at++) {
        map->tab_registers[at] = (uint16_t)(at * 257 + 13);
        map->tab_input_registers[at] = (uint16_t)(0xFFFF - at * 3);
    }
    put_float(map->tab_registers + 500, -1234.5f, 0, 0);
    put_float(map->tab_registers + 502, 230.25f, 1, 0);
    put_float(map->tab_registers + 504, 49.875f, 0, 1);
    put_float(map->tab_registers + 506, 16777216.0f, 1, 1);
}

static void serve(modbus_t *context, modbus_mapping_t *map)
{
    uint8_t request[MODBUS_TCP_MAX_ADU_LENGTH];
    for (;;) {
        int length = modbus_receive(context, request);
        if (length > 0)
            modbus_reply(context, request, length, map);
        else if (length < 0 && (errno == ECONNRESET || errno == EPIPE || errno == EBADF || errno == EIO))
            return;
    }
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    int tcp = strcmp(argv[1], "tcp") == 0;
    modbus_t *context = tcp ? modbus_new_tcp("127.0.0.1", atoi(argv[2])) : modbus_new_rtu(argv[2], BAUD, 'N', 8, 1);
    modbus_mapping_t *map = modbus_mapping_new(0, 0, REGISTERS, REGISTERS);
    if (context == NULL || map == NULL)
        return 1;
    fill(map);
    modbus_set_slave(context, UNIT);
    int listening = tcp ? modbus_tcp_listen(context, 1) : modbus_connect(context);
    if (listening < 0) {
        fprintf(stderr, "%s\n", modbus_strerror(errno));
        return 1;
    }
    puts("ready");
    fflush(stdout);
    if (!tcp)
        serve(context, map);
    while (tcp && modbus_tcp_accept(context, &listening) >= 0)
        serve(context, map);
    return 0;
}
